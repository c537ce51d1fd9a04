"""The bot: logs in, listens, and comes back after every break but those that only a person can mend."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from notifier.discord.answers import Desk, answer_or_excuse
from notifier.discord.commands import OwnersTree, TrainerCommands
from notifier.discord.custom_ids import parse
from notifier.discord.dm import OwnerDm
from notifier.discord.door import Door, Refusal
from notifier.discord.faults import shut_by_gateway, trouble_of
from notifier.discord.live_store import LiveStore
from notifier.discord.replies import OwnersInteraction, caller_of, reply
from notifier.discord.steering import Steering
from notifier.retry import retry_wait_seconds
from notifier.sinks import SinkShut, SinkUnavailable

_log = get_logger(__name__)

_LONGEST_WAIT_IN_DISCORD_PY_SECONDS = 30.0
"""A 429 that asks for more is given back to us, who tell everybody; 30 is the least that the library takes."""

HEARTBEAT_SECONDS = 60.0
"""A gateway that says nothing for so long is taken for gone."""

_CLOSE_SECONDS = 1.0
_FAILURES_UNTIL_ILL = 2
"""Connections come to an end every now and then; one that does not come back is worth a look."""
_STEADY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """What the bot does with what it hears.

    Attributes:
        door: who may use it.
        desk: what answers are made from.
        steering: what changes runs.
        dm: where everything goes out.
        store: remembers which commands Discord knows.
    """

    door: Door
    desk: Desk
    steering: Steering
    dm: OwnerDm
    store: LiveStore


def point_at(api_base: str, gateway_url: str) -> None:
    """Let discord.py talk to another Discord, such as the fake; empty changes nothing. For the whole process."""
    if api_base:
        Route.BASE = api_base
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


def hush() -> None:
    """Spare the log what discord.py says about voice and servers, which this bot does not know, and a false alarm."""
    discord.VoiceClient.warn_nacl = False
    discord.VoiceClient.warn_dave = False
    logging.getLogger("discord.state").setLevel(logging.ERROR)
    logging.getLogger("discord.gateway").addFilter(_is_no_false_alarm)


def _is_no_false_alarm(record: logging.LogRecord) -> bool:
    """An answer to a heartbeat that is faster than discord.py's own note of it counts as late by a whole interval."""
    return record.msg != "Can't keep up, shard ID %s websocket is %.1fs behind."


class OwnersClient(discord.Client):
    """One life of the connection. It asks to hear nothing: commands and buttons come unasked."""

    def __init__(self, ears: Ears) -> None:
        super().__init__(
            intents=discord.Intents.none(),
            max_ratelimit_timeout=_LONGEST_WAIT_IN_DISCORD_PY_SECONDS,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            heartbeat_timeout=HEARTBEAT_SECONDS,
        )
        self._ears = ears
        self._tree = OwnersTree(self, ears.door)
        self._tree.add_command(TrainerCommands(ears.desk, ears.steering))
        self._loop_task: asyncio.Task[object] | None = None

    async def setup_hook(self) -> None:
        """Behind the login: open the owner's direct messages, and register the commands if they have changed."""
        self._loop_task = asyncio.current_task()
        try:
            await self._ears.dm.open(self)
        except SinkShut as error:
            # Commands may work all the same, and they are how the owner finds out.
            _log.warning("the owner's direct messages cannot be opened", why=str(error))
        digest = self._tree.digest(self.application_id or 0)
        if digest != self._ears.store.commands_digest:
            await self._tree.sync()
            await self._ears.store.keep_commands(digest)
            _log.info("commands registered")

    async def on_connect(self) -> None:
        """Close when the loop was cancelled meanwhile.

        discord.py connects under `asyncio.wait_for`, which forgets a cancellation that comes in the moment in which it
        succeeds, before Python 3.12.
        """
        if self._loop_task is not None and self._loop_task.cancelling():
            await self.close()

    async def on_resumed(self) -> None:
        """The same, for a connection that goes on."""
        await self.on_connect()

    async def on_interaction(self, interaction: OwnersInteraction) -> None:
        """A pressed button; commands go through the tree."""
        if interaction.type is not discord.InteractionType.component:
            return
        ears = self._ears
        if not ears.door.admits(caller_of(interaction), interaction.id):
            return
        data: object = interaction.data
        custom_id = data.get("custom_id") if isinstance(data, dict) else None
        press = parse(custom_id) if isinstance(custom_id, str) else None
        if press is None:
            ears.door.ignore(Refusal.NO_COMMAND)
            return
        await reply(interaction, answer_or_excuse(ears.desk, ears.steering.press(press)))

    async def on_message(self, message: discord.Message) -> None:
        """Text is no command, whoever writes it; the bot's own comes by here too."""
        if self.user is None or message.author.id != self.user.id:
            self._ears.door.ignore(Refusal.NO_COMMAND)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """Nor is an edited one."""
        if self.user is None or payload.message.author.id != self.user.id:
            self._ears.door.ignore(Refusal.NO_COMMAND)

    async def on_error(self, event_method: str, /, *args: object, **kwargs: object) -> None:
        """One event that went wrong hurts no other."""
        del args, kwargs
        _log.exception("an event of Discord could not be handled", event_method=event_method)


class Bot:
    """One loop: a client after the other, until one is told that the bot is not wanted."""

    def __init__(
        self, ears: Ears, token: SecretStr, clock: Clock, report_health: Callable[[bool], Awaitable[None]]
    ) -> None:
        """Args: report_health: told False when it cannot get in, or stays away for good; True with each login."""
        self._ears = ears
        self._token = token
        self._clock = clock
        self._report_health = report_health

    async def run(self) -> None:
        """Be there for ever."""
        num_failures = 0
        while True:
            began = self._clock.monotonic()
            error = await self._live()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError
            shut = shut_by_gateway(error) if error is not None else None
            if shut is not None:
                await self._stop(shut)
            if self._clock.monotonic() - began > _STEADY_SECONDS:
                num_failures = 0
            num_failures += 1
            if num_failures >= _FAILURES_UNTIL_ILL:
                await self._report_health(False)  # noqa: FBT003 - what the hook is about
            wait = _wait_seconds(error, num_failures, self._clock)
            _log.warning("not connected to Discord; trying again", why=_named(error), retry_seconds=wait)
            await self._clock.sleep(wait)

    async def _stop(self, shut: SinkShut) -> None:
        """Trying again would not help and would count against the bot: ten thousand such tries are a ban."""
        self._ears.dm.shut_down(shut)
        await self._report_health(False)  # noqa: FBT003 - what the hook is about
        await asyncio.Event().wait()

    async def _live(self) -> Exception | None:
        """One client from its login to its end; why it ended."""
        client = OwnersClient(self._ears)
        try:
            await client.login(self._token.get_secret_value())
            await self._report_health(True)  # noqa: FBT003 - as above
            await client.connect(reconnect=True)
        except Exception as error:  # noqa: BLE001 - discord.py ends in anything when answers are not as they should be
            return error
        finally:
            self._ears.dm.leave()
            await _close(client)
        return None


async def _close(client: discord.Client) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await client.close()
    except TimeoutError:
        _log.info("Discord did not say goodbye in time")


def _wait_seconds(error: Exception | None, num_failures: int, clock: Clock) -> float:
    trouble = trouble_of(error, now=clock.now()) if error is not None else None
    asked = trouble.retry_after_seconds if isinstance(trouble, SinkUnavailable) else None
    return retry_wait_seconds(num_failures, asked)


def _named(error: Exception | None) -> str:
    return type(error).__name__ if error is not None else "the connection was closed"
