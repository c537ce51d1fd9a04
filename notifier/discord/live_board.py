"""Keeps the live messages: asks the gateway, and edits in place."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Protocol

from headway.contract.errors import Code, HeadwayError, StoreUnavailable
from headway.contract.ids import JobName
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError
from notifier.discord.answers import Desk, learn
from notifier.discord.card import Card
from notifier.discord.custom_ids import buttons_of
from notifier.discord.faults import MessageGone
from notifier.discord.live_embeds import LiveRuns, Look, Rest, Show
from notifier.discord.live_store import LiveStore
from notifier.discord.run_embed import Extras, run_embed
from notifier.discord.run_view import RunView
from notifier.messages import NONCE_CHARACTERS
from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable

_log = get_logger(__name__)

_PAUSE_SECONDS = 5.0
_ACQUAINT_SECONDS = 300.0
_NUM_RECENT = 25
_SHUT_PAUSE_SECONDS = 60.0
_NOBODYS_BUSINESS = frozenset({Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT})


class Messages(Protocol):
    """What the board needs of the owner's direct messages; see `OwnerDm`."""

    async def send(self, card: Card, *, nonce: str, is_silent: bool = False) -> str:
        """Make a message; its id."""
        ...

    async def edit(self, message_id: str, card: Card) -> None:
        """Replace its content."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where live messages are.

    Attributes:
        dm: the owner's direct messages.
        store: which message is whose.
    """

    dm: Messages
    store: LiveStore


class LiveBoard:
    """Two loops: `acquaint`, and `tend`, which looks and shows, one thing at a time."""

    def __init__(self, runs: LiveRuns, desk: Desk, places: Places, bell: asyncio.Event) -> None:
        """Args: bell: set when something was heard about a run."""
        self._runs = runs
        self._desk = desk
        self._bell = bell
        self._clock = desk.clock
        self._dm = places.dm
        self._store = places.store
        self._is_gateway_away = False

    def restore(self) -> None:
        """Go on with the messages of a life before; each is looked at first."""
        for job, message_id in self._store.messages().items():
            if self._desk.watches.is_watched(job):
                self._runs.restore(JobName.parse(job), message_id, now_seconds=self._clock.monotonic())
        self._bell.set()

    async def acquaint(self) -> None:
        """Learn of the newest runs now and then, for what was missed and for what is suggested to the owner."""
        while True:
            try:
                jobs = await self._desk.gateway.recent(self._desk.names.projects(), _NUM_RECENT)
            except RemoteError as error:
                _log.debug("the newest runs are not known", reason=error.reason)
                await self._clock.sleep(_PAUSE_SECONDS)
                continue
            # Newest last, as they are remembered.
            views = [learn(self._desk, job) for job in reversed(jobs)]
            for view in views:
                if not view.is_over:
                    self._desk.hear(view.name)
            await self._clock.sleep(_ACQUAINT_SECONDS)

    async def tend(self) -> None:
        """Look after the live messages for ever."""
        while True:
            self._bell.clear()
            rest = await self.work()
            if rest.seconds is None:
                await self._bell.wait()
            else:
                await self._clock.wait_for_event(self._bell, rest.seconds)

    async def work(self) -> Rest:
        """Do all that is to be done now; how long there is nothing more."""
        while True:
            match self._runs.next_step(now_seconds=self._clock.monotonic()):
                case Look(name):
                    await self._look(name)
                case Show(name):
                    await self._show(name)
                case Rest() as rest:
                    return rest

    async def _look(self, name: JobName) -> None:
        try:
            view = learn(self._desk, await self._desk.gateway.get(name))
        except RemoteError as error:
            if error.code in _NOBODYS_BUSINESS:
                await self._drop(name)
                return
            if not self._is_gateway_away:
                _log.warning("live messages wait for the gateway", reason=error.reason)
            self._is_gateway_away = True
            self._runs.look_failed(name, now_seconds=self._clock.monotonic())
        except HeadwayError as error:
            _log.warning("a run cannot be shown", job=name.name, reason=error.reason)
            await self._drop(name)
        else:
            self._is_gateway_away = False
            self._runs.learn(name, view)

    async def _show(self, name: JobName) -> None:
        picture = self._runs.picture(name, now=self._clock.now(), now_seconds=self._clock.monotonic())
        if picture is None:
            return
        card = self._card(*picture)
        message_id, shown = self._runs.place(name)
        if shown != card.digest or not message_id:
            try:
                message_id = await self._put(name, message_id, card)
            except MessageGone:
                self._runs.vanished(name)
                return
            except (SinkUnavailable, SinkShut) as error:
                self._runs.not_shown(name, now_seconds=self._clock.monotonic())
                await self._clock.sleep(_pause_after(error))
                return
            except SinkRefused as error:
                _log.error("Discord refuses a live message", job=name.name, why=str(error))
        if self._runs.shown(name, message_id, card.digest, now_seconds=self._clock.monotonic()):
            await self._drop(name, is_over=picture[0].is_over)

    async def _put(self, name: JobName, message_id: str, card: Card) -> str:
        if message_id:
            await self._dm.edit(message_id, card)
            return message_id
        # Silent: the message that the run has started has made its sound already.
        before = self._runs.gone(name) or self._store.messages().get(name.name, "")
        made = await self._dm.send(card, nonce=_nonce(name, before), is_silent=True)
        await self._store.keep(name.name, made)
        return made

    async def _drop(self, name: JobName, *, is_over: bool = True) -> None:
        """The last edit was made, or there is nothing to show."""
        self._runs.forget(name)
        if not is_over:
            return  # Not watched any more. Watched again, it gets another message, and that must have another nonce.
        await self._store.forget(name.name)
        if name.name in self._desk.watches.watched():
            try:
                await self._desk.watches.forget(name.name)
            except StoreUnavailable as error:
                _log.info("an ended run stays on the list of watches for now", job=name.name, why=error.message)

    def _card(self, view: RunView, extras: Extras) -> Card:
        embed = run_embed(view, self._desk.redact, now=self._clock.now(), extras=extras)
        may_steer = self._desk.is_control_enabled and not extras.note
        return Card(embeds=(embed,), buttons=buttons_of(view) if may_steer else ())


def _nonce(name: JobName, before: str) -> str:
    """A crash between making a message and writing its id down finds the same message again."""
    return hashlib.sha256(f"live\n{name.name}\n{before}".encode()).hexdigest()[:NONCE_CHARACTERS]


def _pause_after(error: SinkUnavailable | SinkShut) -> float:
    if isinstance(error, SinkShut):
        return _SHUT_PAUSE_SECONDS
    return max(_PAUSE_SECONDS, error.retry_after_seconds or 0.0)
