"""The fake Discord itself: one server on loopback, and what a test or a person does with it."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from headway.runtime.clock import Clock, SystemClock
from headway.testing.discord.commands import BOT_DM, BadLine, Choice, Command, parse_line
from headway.testing.discord.control import Control
from headway.testing.discord.conversation import Change, ChangeKind, Conversation, Listeners
from headway.testing.discord.door import Door
from headway.testing.discord.faults import FaultScript
from headway.testing.discord.gateway import Gateway, NotConnected
from headway.testing.discord.interaction import Interaction, InteractionKind
from headway.testing.discord.interactions import Interactions
from headway.testing.discord.keeping import MAX_KEPT_MESSAGES, Kept
from headway.testing.discord.listening import Listening
from headway.testing.discord.payloads import BUTTON, STRING_SELECT, Component, Json, Message, User
from headway.testing.discord.people import make_world, world_of
from headway.testing.discord.rest import Answer, Registry, Rest
from headway.testing.discord.snowflakes import Snowflakes
from headway.testing.discord.traffic import Rate, RateLimits, Traffic
from headway.testing.discord.wire import describe_interaction

API_PREFIX = "/api/v10"
GATEWAY_PATH = "/gateway/"
OWNER_ID = "80351110224678912"
"""Of the owner, unless another is wanted; the one of Discord's own examples."""


class FakeDiscord:
    """A Discord with one bot, its owner, a few others and one server.

    Attributes:
        token: that the bot logs in with.
        faults: what requests get instead of answers.
        traffic: what was asked so far.
        gateway: the websocket side, with its own faults.
        listeners: hear of each change.
    """

    def __init__(
        self,
        *,
        token: str = "",
        owner_id: str = OWNER_ID,
        rate: Rate | None = None,
        clock: Clock | None = None,
        kept: Kept | None = None,
    ) -> None:
        clock = clock or SystemClock()
        ids = Snowflakes(clock)
        self.token = token or make_token()
        self.faults = FaultScript()
        self.traffic = Traffic()
        self.listeners = Listeners()
        self._world = world_of(kept) if kept else make_world(ids, owner_id)
        self._conversation = Conversation(clock, ids, self.listeners, kept.messages if kept else ())
        self._interactions = Interactions(clock, ids, self._conversation)
        self._registry = Registry(ids, kept.commands if kept else ())
        self.gateway = Gateway(self.token, self._describe_ready, self._tell_presence)
        self._door = Door(API_PREFIX, self.token, self.faults, self.traffic, RateLimits(rate, clock), clock)
        self._listening = Listening(self._build)

    @property
    def address(self) -> str:
        """host:port that it listens on."""
        return self._listening.address

    @property
    def api_base(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"http://{self.address}{API_PREFIX}"

    @property
    def gateway_url(self) -> str:
        """For `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://{self.address}{GATEWAY_PATH}"

    @property
    def bot(self) -> User:
        """The application's user; its id is the application's id."""
        return self._world.bot

    @property
    def owner(self) -> User:
        """Whose direct messages these are."""
        return self._world.owner

    @property
    def stranger(self) -> User:
        """Somebody else."""
        return self._world.stranger

    @property
    def impostor(self) -> User:
        """A bot that bears the owner's name."""
        return self._world.impostor

    @property
    def owner_id(self) -> int:
        """Of the owner."""
        return int(self._world.owner.id)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The owner's direct messages as they look now, oldest first, answers to commands among them."""
        return self.messages_of(self._world.owner)

    @property
    def owner_channel_id(self) -> str:
        """Of the owner's direct messages."""
        return self._world.channel_of(self._world.owner)

    @property
    def pushed(self) -> tuple[Message, ...]:
        """Those of `messages` that the bot sent by itself."""
        return tuple(message for message in self.messages if message.interaction_id is None)

    @property
    def commands(self) -> tuple[Command, ...]:
        """The registered commands."""
        return self._registry.commands

    def messages_of(self, user: User) -> tuple[Message, ...]:
        """The direct messages of somebody else."""
        return self._conversation.of_channel(self._world.channel_of(user))

    @property
    def guild_messages(self) -> tuple[Message, ...]:
        """What the bot said in the server."""
        return self._conversation.of_channel(self._world.guild_channel_id)

    async def invoke(self, line: str, *, by: User | None = None, in_guild: bool = False) -> Interaction:
        """Send a slash command such as `/trainer status run:abc`; returns at once, `answer()` waits.

        Args:
            line: as typed; values by name or in order.
            by: who types it; None means the owner.
            in_guild: whether it is typed in the server and not in direct messages.

        Raises:
            BadLine: Discord's client would not send this.
            NotConnected: no bot is connected.
        """
        typed = parse_line(self.commands, line)
        if not in_guild and typed.command.contexts is not None and BOT_DM not in typed.command.contexts:
            raise BadLine(f"/{typed.command.name} is not offered in direct messages")
        self._say(by, line)
        return await self._interact(InteractionKind.COMMAND, by, typed.data, in_guild=in_guild)

    async def autocomplete(self, line: str, *, by: User | None = None, timeout_seconds: float = 10.0) -> list[Choice]:
        """What the bot offers for the last value of a line that is still being typed.

        Raises:
            BadLine: the line leads to no autocomplete.
            NotAnswered: the bot offered nothing in time.
            NotConnected: no bot is connected.
        """
        typed = parse_line(self.commands, line, is_autocomplete=True)
        interaction = await self._interact(InteractionKind.AUTOCOMPLETE, by, typed.data)
        await interaction.responded(timeout_seconds)
        return list(interaction.choices)

    async def press(
        self, message: Message | str, custom_id: str, *, by: User | None = None, in_guild: bool = False
    ) -> Interaction:
        """Press a button, or take the first choice of a menu; returns at once, `answer()` waits.

        Args:
            message: that it stands on, or its id.
            custom_id: of the button.
            by: who presses; None means the owner.
            in_guild: whether the press pretends to come from the server.

        Raises:
            BadLine: the message has no such button, or it is disabled.
            NotConnected: no bot is connected.
        """
        shown = self._conversation.get(message if isinstance(message, str) else message.id)
        part = _find_component(shown, custom_id)
        data: Json = {"custom_id": custom_id, "component_type": part.type}
        if part.type == STRING_SELECT:
            data["values"] = [part.options[0].get("value")]
        self._say(by, f"[{part.label or custom_id}]")
        return await self._interact(InteractionKind.COMPONENT, by, data, message=shown, in_guild=in_guild)

    async def replay(self, interaction: Interaction) -> None:
        """Send an interaction once more, with the same id and token."""
        await self._dispatch(interaction)

    @asynccontextmanager
    async def outage(self) -> AsyncGenerator[None, None]:
        """Nobody listens inside the block: connections are refused. What was known is still known after it."""
        await self._listening.stop()
        try:
            yield
        finally:
            await self._listening.start()

    def keep(self) -> Kept:
        """Everything that another process needs to go on where this one stands."""
        world = self._world
        return Kept(
            bot=world.bot,
            owner=world.owner,
            stranger=world.stranger,
            impostor=world.impostor,
            guild_id=world.guild_id,
            guild_channel_id=world.guild_channel_id,
            channels=dict(world.channels),
            commands=self.commands,
            messages=self._conversation.newest(MAX_KEPT_MESSAGES),
        )

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 is any free one."""
        await self._listening.start(port)

    async def stop(self) -> None:
        """Close every connection."""
        await self._listening.stop()

    async def _interact(
        self,
        kind: InteractionKind,
        by: User | None,
        data: Json,
        *,
        message: Message | None = None,
        in_guild: bool = False,
    ) -> Interaction:
        user = by or self._world.owner
        channel_id = self._world.guild_channel_id if in_guild else self._world.channel_of(user)
        guild_id = self._world.guild_id if in_guild else None
        if self.gateway.session is None:
            raise NotConnected("no bot is connected")
        interaction = self._interactions.open(kind, user, channel_id, data, guild_id=guild_id, message=message)
        await self._dispatch(interaction)
        return interaction

    async def _dispatch(self, interaction: Interaction) -> None:
        channel = self._world.describe_channel(interaction.channel_id)
        payload = describe_interaction(interaction, channel, self._world.bot, self._world.owner)
        await self.gateway.dispatch("INTERACTION_CREATE", payload)

    def _say(self, by: User | None, text: str) -> None:
        if by is None or by.id == self._world.owner.id:
            self.listeners.tell(Change(ChangeKind.SAID, text=text))

    def _describe_ready(self, session_id: str) -> Json:
        return {
            "v": 10,
            "user": self._world.bot.to_json(),
            "guilds": [],
            "session_id": session_id,
            "resume_gateway_url": self.gateway_url,
            "shard": [0, 1],
            "application": {"id": self._world.bot.id, "flags": 0},
        }

    def _tell_presence(self, is_here: bool) -> None:  # noqa: FBT001 - whether a bot is here
        self.listeners.tell(Change(ChangeKind.CONNECTED if is_here else ChangeKind.DISCONNECTED))

    def _build(self) -> web.Application:
        app = web.Application()
        rest = Rest(self._world, self._conversation, self._interactions, self._registry)
        for method, path, route in [
            *rest.routes(),
            ("GET", "/gateway", self._where),
            ("GET", "/gateway/bot", self._where),
        ]:
            app.router.add_route(method, f"{API_PREFIX}{path}", self._door.guard(route), expect_handler=None)
        app.router.add_get(GATEWAY_PATH, self.gateway.serve)
        Control(self).add_to(app)
        return app

    async def _where(self, _request: web.Request) -> Answer:
        start: Json = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
        return {"url": self.gateway_url, "shards": 1, "session_start_limit": start}


def _find_component(message: Message, custom_id: str) -> Component:
    parts = [part for row in message.components for part in row.components if part.type in {BUTTON, STRING_SELECT}]
    found = next((part for part in parts if part.custom_id == custom_id), None)
    if found is None:
        raise BadLine(f"the message has no button {custom_id}; it has {[part.custom_id for part in parts]}")
    if found.disabled:
        raise BadLine(f"the button {found.label or custom_id} is disabled")
    return found


def make_token() -> str:
    """A token of a length as Discord's have, which opens nothing but this double."""
    return f"fake.{secrets.token_urlsafe(32)}"


@asynccontextmanager
async def fake_discord(
    *,
    token: str = "",
    owner_id: str | int = OWNER_ID,
    port: int = 0,
    rate: Rate | None = None,
    clock: Clock | None = None,
    kept: Kept | None = None,
) -> AsyncGenerator[FakeDiscord, None]:
    """A fake Discord for the length of the block.

    Args:
        token: of the bot; empty: made up.
        owner_id: of the owner.
        port: on 127.0.0.1; 0: any free one.
        rate: of messages per channel, with headers and 429 as Discord has them (`DISCORDS_RATE`); None: no limit.
        clock: of times, limits and rates.
        kept: what an earlier one knew; its owner is the owner.
    """
    discord = FakeDiscord(token=token, owner_id=str(owner_id), rate=rate, clock=clock, kept=kept)
    await discord.start(port)
    try:
        yield discord
    finally:
        discord.faults.clear()
        await discord.stop()
