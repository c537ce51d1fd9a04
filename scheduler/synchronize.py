"""Holds the conversations with hosts: hears every message, answers it, and speaks unasked when there is news."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from datetime import timedelta

from headway.contract.errors import DeadlineExceeded, InvalidHostState, ScopeDenied, TooManyMessages, Violation
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.principal import Principal
from headway.runtime.service import Spawner
from headway.v1.scheduler_service_pb2 import SynchronizeRequest, SynchronizeResponse
from scheduler.cluster_view import ClusterView, Moment
from scheduler.desired import desired_state
from scheduler.host_checks import read_word
from scheduler.host_table import Voice
from scheduler.message_rate import MessageRate
from scheduler.signals import Signals

_log = get_logger(__name__)

FIRST_MESSAGE_SECONDS = 10.0
"""A stream that has not said who it is by then is closed."""


class Conversation(Voice):
    """One open stream of one host."""

    def __init__(self, now: float) -> None:
        self.host = ""
        self.boot_id = ""
        self.sequence = 0
        self.is_over = False
        self.error: Exception | None = None
        self.news = asyncio.Event()
        self.rate = MessageRate(now=now)

    def end(self, error: Exception | None = None) -> None:
        """Let the answering side return, or raise."""
        self.is_over = True
        self.error = error
        self.news.set()


class Synchronizer:
    """All conversations."""

    def __init__(
        self, view: ClusterView, signals: Signals, spawner: Spawner, clock: Clock, *, lease: timedelta
    ) -> None:
        """Name what is shared.

        Args:
            view: where hosts' words go and answers come from.
            signals: wakes a stream when its host's desired state may have changed.
            spawner: owns the listening side of each stream.
            clock: for leases.
            lease: told to hosts.
        """
        self._view = view
        self._signals = signals
        self._spawner = spawner
        self._clock = clock
        self._lease = lease
        self._open: dict[str, Conversation] = {}
        self._is_closing = False

    async def converse(
        self, requests: AsyncIterable[SynchronizeRequest], principal: Principal
    ) -> AsyncGenerator[SynchronizeResponse, None]:
        """Hold one stream until the host ends it, a newer stream replaces it, or the service drains.

        Raises:
            InvalidHostState: a message says something impossible; the violations name the fields.
            HostIdInUse: another live boot speaks for this host id.
            ScopeDenied: the key is for another host.
            TooManyMessages: the host speaks faster than allowed.
            DeadlineExceeded: the host does not say who it is.
        """
        talk = Conversation(self._clock.monotonic())
        listening = self._spawner.spawn("hear a host", self._listen(talk, requests, principal))
        try:
            if not await self._clock.wait_for_event(talk.news, FIRST_MESSAGE_SECONDS):
                raise DeadlineExceeded(f"no first message within {FIRST_MESSAGE_SECONDS:g} s")
            async for response in self._answers(talk):
                yield response
        finally:
            self._hang_up(talk)
            listening.cancel()
            # The requests are closed by whoever opened them, and not while somebody still reads them.
            await asyncio.wait([listening])

    def close(self) -> None:
        """End every conversation, so that hosts call again after the restart."""
        self._is_closing = True
        for talk in self._open.values():
            talk.end()

    async def _listen(
        self, talk: Conversation, requests: AsyncIterable[SynchronizeRequest], principal: Principal
    ) -> None:
        try:
            async for request in requests:
                if talk.is_over:
                    return
                self._hear(talk, request, principal)
                talk.sequence = request.sequence
                talk.news.set()
        except Exception as error:  # noqa: BLE001 - raised again where the stream is answered.
            talk.end(error)
        else:
            talk.end()

    def _hear(self, talk: Conversation, request: SynchronizeRequest, principal: Principal) -> None:
        if not talk.rate.may_pass(self._clock.monotonic()):
            raise TooManyMessages(
                "the host sends messages faster than allowed; wait for next_sync_delay between two",
                retry_after=timedelta(seconds=1),
            )
        word = read_word(request)
        _check_speaker(talk, word.host.name, word.host.boot_id, principal)
        self._view.hear(word, talk, Moment(self._clock.now(), self._clock.monotonic()))
        older = self._open.get(word.host.name)
        if older is talk:
            return
        if older is not None:
            older.end()
        talk.host, talk.boot_id = word.host.name, word.host.boot_id
        self._open[talk.host] = talk
        self._signals.attach(talk.host, talk.news)
        _log.info("host speaks", host=talk.host, boot=talk.boot_id)

    async def _answers(self, talk: Conversation) -> AsyncIterator[SynchronizeResponse]:
        """An answer to each message, or to several that came together, and one for each change of the desired state."""
        told, answered = SynchronizeResponse(), 0
        while True:
            await talk.news.wait()
            talk.news.clear()
            if talk.error is not None:
                raise talk.error
            if talk.is_over or self._is_closing:
                return
            wanted = self._wanted(talk)
            if wanted is not None and (talk.sequence != answered or wanted != told):
                told, answered = wanted, talk.sequence
                yield _numbered(wanted, answered)

    def _wanted(self, talk: Conversation) -> SynchronizeResponse | None:
        host = self._view.hosts.find(talk.host)
        if host is None:
            # Lost a moment ago; its next message brings it back.
            return None
        held = [(held, live.record) for held, live in self._view.orders_for(talk.host)]
        return desired_state(host, held, lambda key: self._view.standing(talk.host, key), lease=self._lease)

    def _hang_up(self, talk: Conversation) -> None:
        self._signals.detach(talk.host, talk.news)
        if self._open.get(talk.host) is talk:
            del self._open[talk.host]
            self._view.hang_up(talk.host, talk)
            _log.info("host hung up", host=talk.host, boot=talk.boot_id)


def _numbered(response: SynchronizeResponse, sequence: int) -> SynchronizeResponse:
    numbered = SynchronizeResponse(sequence=sequence)
    numbered.MergeFrom(response)
    return numbered


def _check_speaker(talk: Conversation, host: str, boot_id: str, principal: Principal) -> None:
    """One stream is one boot of one host, and a key made for one host speaks for no other."""
    if principal.host_id and host != f"hosts/{principal.host_id}":
        raise ScopeDenied(f"this key is for the host {principal.host_id}", metadata={"host": principal.host_id})
    for field, said, before in (("host.name", host, talk.host), ("host.boot_id", boot_id, talk.boot_id)):
        if before not in ("", said):
            message = "it changed within one stream; open another"
            violation = Violation(field, InvalidHostState.reason, message, before)
            raise InvalidHostState(f"{field}: {message}", violations=[violation])
