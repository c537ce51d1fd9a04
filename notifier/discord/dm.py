"""The owner's direct messages: the one place that posts to Discord, and that stops when Discord says so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import discord
from discord.http import Route

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from notifier.discord.card import Card, Payload, payload_of
from notifier.discord.faults import MessageGone, is_for_good, trouble_of
from notifier.sinks import SinkShut, SinkUnavailable

_log = get_logger(__name__)

_OPENING_SECONDS = 10.0
REQUEST_SECONDS = 10.0
_SHUT_SECONDS = 14 * 60.0
"""A little less than the pause after which a post that was shut tries again."""


@dataclass(frozen=True, slots=True)
class _Shut:
    error: SinkShut
    until_seconds: float | None


class OwnerDm:
    """Opened by the bot after each login; everybody else only posts and edits.

    What Discord says is kept for everybody: after a Retry-After nothing is sent before that time, and after a refusal
    that only a person can mend nothing is sent at all, so that no part of the notifier hammers while another waits.
    """

    def __init__(self, owner_id: int, clock: Clock, report_health: Callable[[bool], Awaitable[None]]) -> None:
        """Args: report_health: told False when Discord takes nothing before somebody acts, else True."""
        self.owner_id = owner_id
        self.num_requests = 0
        self._clock = clock
        self._report_health = report_health
        self._is_well = True
        self._client: discord.Client | None = None
        self._channel_id = ""
        self._opened = asyncio.Event()
        self._quiet_until_seconds = 0.0
        self._shut: _Shut | None = None

    @property
    def shut(self) -> SinkShut | None:
        """Why nothing is sent until somebody acts; None while all is well."""
        return self._shut.error if self._shut is not None else None

    async def open(self, client: discord.Client) -> None:
        """Find the owner's channel with a client that has logged in, and check that it is the owner's.

        Raises:
            SinkUnavailable: Discord does not answer.
            SinkShut: it does not let the bot.
        """
        self._client = client
        answer = await self._request(Route("POST", "/users/@me/channels"), {"recipient_id": str(self.owner_id)})
        if not _is_with(answer, self.owner_id):
            raise SinkUnavailable("Discord opened another channel than the owner's")
        self._channel_id = _id_of(answer)
        self._opened.set()

    def leave(self) -> None:
        """The client is about to close."""
        self._opened.clear()
        self._client = None

    def shut_down(self, error: SinkShut) -> None:
        """Send nothing more: for good when only other settings can help, else for a quarter of an hour."""
        if self.shut is None:
            _log.error("nothing is sent to Discord any more", why=str(error), remedy=error.remedy)
        until = None if is_for_good(error) else self._clock.monotonic() + _SHUT_SECONDS
        self._shut = _Shut(error, until)

    async def send(self, card: Card, *, nonce: str, is_silent: bool = False) -> str:
        """Make a message; its id. The same nonce within minutes finds the message that was made before.

        Raises:
            SinkUnavailable: later.
            SinkRefused: never.
            SinkShut: not before somebody acts.
        """
        await self._wait_until_open()
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=self._channel_id)
        return _id_of(await self._request(route, payload_of(card, nonce=nonce, is_silent=is_silent)))

    async def edit(self, message_id: str, card: Card) -> None:
        """Replace a message's content; raises MessageGone when it is not there, and as `send` does."""
        await self._wait_until_open()
        route = Route(
            "PATCH",
            "/channels/{channel_id}/messages/{message_id}",
            channel_id=self._channel_id,
            message_id=message_id,
        )
        await self._request(route, payload_of(card))

    async def _wait_until_open(self) -> None:
        self._check_shut()
        # At a start the login takes a second or two; that is no outage.
        if not await self._clock.wait_for_event(self._opened, _OPENING_SECONDS):
            self._check_shut()
            raise SinkUnavailable("not connected to Discord")

    def _check_shut(self) -> None:
        now_seconds = self._clock.monotonic()
        if self._shut is not None:
            if self._shut.until_seconds is None or now_seconds < self._shut.until_seconds:
                raise self._shut.error
            self._shut = None
        if now_seconds < self._quiet_until_seconds:
            raise SinkUnavailable("Discord asked to wait", retry_after_seconds=self._quiet_until_seconds - now_seconds)

    async def _request(self, route: Route, payload: Payload) -> object:
        self._check_shut()
        if self._client is None:
            raise SinkUnavailable("not connected to Discord")
        self.num_requests += 1
        limit = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        try:
            # Under no time-out of our own: cancelled while it waits for a global limit, discord.py never sends again.
            answer: object = await self._client.http.request(route, json=payload, timeout=limit)
        except Exception as error:
            trouble = self._note(error)
            await self._tell_health(is_well=self._is_well and not isinstance(trouble, SinkShut))
            raise trouble from error
        await self._tell_health(is_well=True)
        return answer

    async def _tell_health(self, *, is_well: bool) -> None:
        if is_well is not self._is_well:
            self._is_well = is_well
            await self._report_health(is_well)

    def _note(self, error: Exception) -> Exception:
        trouble = trouble_of(error, now=self._clock.now())
        match trouble:
            case SinkShut():
                self.shut_down(trouble)
            case SinkUnavailable(retry_after_seconds=float() as seconds):
                self._quiet_until_seconds = max(self._quiet_until_seconds, self._clock.monotonic() + seconds)
            case SinkUnavailable() | MessageGone():
                pass
        return trouble


def _id_of(answer: object) -> str:
    if isinstance(answer, dict) and isinstance(found := answer.get("id"), str):
        return found
    raise SinkUnavailable("Discord answered without an id", may_have_arrived=True)


def _is_with(answer: object, owner_id: int) -> bool:
    """Whether a channel is a direct one with nobody but the owner."""
    if not isinstance(answer, dict):
        return False
    recipients: object = answer.get("recipients")
    if not isinstance(recipients, list):
        return False
    return [entry.get("id") for entry in recipients if isinstance(entry, dict)] == [str(owner_id)]
