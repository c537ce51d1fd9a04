"""A feed over a stream in memory; see `Feed` for the contract."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from headway.contract.subjects import BucketSpec
from headway.runtime.clock import Clock
from headway.runtime.feeds import FROM_NEW, LAST_PER_SUBJECT, Durable, Message, Start, StreamReplaced
from headway.runtime.jetstream import is_deletion
from headway.runtime.requests import RawStored
from headway.testing.memory_server import MemoryServer
from headway.testing.memory_stream import DurableState, MemoryStream

_LONG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFeedPlan:
    """What to follow and how; see `Bus.feed`."""

    subject: str | None
    start: Start
    durable: Durable | None
    restart_when_replaced: bool


class MemoryFeed:
    """Follows one stream."""

    def __init__(self, server: MemoryServer, stream_name: str, plan: MemoryFeedPlan, clock: Clock) -> None:
        self._server = server
        self._stream_name = stream_name
        self._plan = plan
        self._clock = clock
        self._stream: MemoryStream | None = None
        self._position = 0
        self._snapshot: list[RawStored] = []

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing stored waits behind the last message yielded."""
        return self._num_waiting(self._open_stream()) == 0

    async def __aenter__(self) -> Self:
        """Open the consumer."""
        stream = self._stream = self._server.stream(self._stream_name)
        start, last = self._plan.start, stream.state().last_sequence
        if self._plan.durable is not None:
            self._durable_state(stream)
        elif start is LAST_PER_SUBJECT:
            self._snapshot = stream.newest_of_each(self._plan.subject)
            self._position = last
        else:
            self._position = _position_of(start, stream)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the consumer; a durable one keeps its place."""

    def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, for ever."""
        return self

    async def __anext__(self) -> Message:
        """The next message."""
        while True:
            stream = self._follow_replacement()
            message = None if self._server.is_away else self._take(stream)
            if message is not None:
                return message
            await stream.wait_for_change(self._longest_wait(stream))

    async def ack(self, message: Message) -> None:
        """Never deliver it again."""
        self._settle(message)

    async def nak(self, message: Message, delay_seconds: float) -> None:
        """Deliver it again after `delay_seconds`."""
        self._due_in(message, delay_seconds)

    async def in_progress(self, message: Message) -> None:
        """Start its ack_wait anew."""
        if self._plan.durable is not None:
            self._due_in(message, self._plan.durable.ack_wait_seconds)

    async def term(self, message: Message, reason: str) -> None:
        """Set it aside: never deliver it again, and say why."""
        self._durable_state(self._open_stream()).set_aside[message.sequence] = reason
        self._settle(message)

    def _open_stream(self) -> MemoryStream:
        if self._stream is None:
            raise RuntimeError("enter the feed before you iterate over it")
        return self._stream

    def _durable_state(self, stream: MemoryStream) -> DurableState:
        durable = self._plan.durable
        if durable is None:
            raise RuntimeError("only messages of a durable feed are acknowledged")
        if durable.name not in stream.durables:
            start: Start = FROM_NEW if durable.from_new else durable.start_sequence
            delivered = _position_of(durable.start_time or start, stream)
            stream.durables[durable.name] = DurableState(delivered=delivered)
        return stream.durables[durable.name]

    def _follow_replacement(self) -> MemoryStream:
        stream = self._open_stream()
        now = self._server.streams.get(self._stream_name, stream)
        if now is stream:
            return stream
        if not self._plan.restart_when_replaced:
            raise StreamReplaced(stream.spec.stream_name)
        self._stream, self._position, self._snapshot = now, 0, []
        return now

    def _take(self, stream: MemoryStream) -> Message | None:
        if self._plan.durable is not None:
            return self._take_durable(stream, self._plan.durable)
        while self._snapshot:
            raw = self._snapshot.pop(0)
            if stream.holds(raw.sequence):
                return self._message(stream, raw, 1)
        raw_or_none = stream.after(self._position, self._plan.subject)
        if raw_or_none is None:
            return None
        self._position = raw_or_none.sequence
        return self._message(stream, raw_or_none, 1)

    def _take_durable(self, stream: MemoryStream, durable: Durable) -> Message | None:
        state = self._durable_state(stream)
        now = self._clock.monotonic()
        due = state.pop_due(now)
        while due is not None and not stream.holds(due):
            del state.pending[due]
            due = state.pop_due(now)
        raw = stream.after(due - 1, None) if due is not None else None
        if raw is None:
            if len(state.pending) >= durable.max_ack_pending:
                return None
            raw = stream.after(state.delivered, self._plan.subject)
            if raw is None:
                return None
            state.delivered = raw.sequence
        times = state.pending.get(raw.sequence, (0, 0.0))[0] + 1
        state.give(raw.sequence, times, now + durable.ack_wait_seconds)
        return self._message(stream, raw, times)

    def _message(self, stream: MemoryStream, raw: RawStored, num_delivered: int) -> Message:
        prefix = stream.spec.prefix if isinstance(stream.spec, BucketSpec) else ""
        return Message(
            subject=raw.subject,
            key=raw.subject.removeprefix(prefix),
            data=raw.data,
            sequence=raw.sequence,
            time=raw.time,
            headers=raw.headers,
            is_deleted=bool(prefix) and is_deletion(raw.headers),
            pending=self._num_waiting(stream),
            num_delivered=num_delivered,
        )

    def _num_waiting(self, stream: MemoryStream) -> int:
        position = self._position if self._plan.durable is None else self._durable_state(stream).delivered
        return len(self._snapshot) + stream.num_after(position, self._plan.subject)

    def _longest_wait(self, stream: MemoryStream) -> float:
        if self._plan.durable is None:
            return _LONG_SECONDS
        due = self._durable_state(stream).due
        return max(0.001, due[0][0] - self._clock.monotonic()) if due else _LONG_SECONDS

    def _settle(self, message: Message) -> None:
        stream = self._open_stream()
        self._durable_state(stream).pending.pop(message.sequence, None)
        stream.wake()

    def _due_in(self, message: Message, seconds: float) -> None:
        stream = self._open_stream()
        state = self._durable_state(stream)
        if message.sequence in state.pending:
            state.give(message.sequence, state.pending[message.sequence][0], self._clock.monotonic() + seconds)
            stream.wake()


def _position_of(start: Start, stream: MemoryStream) -> int:
    """The sequence before the first message wanted."""
    if isinstance(start, datetime):
        return stream.last_before(start)
    return start - 1 if isinstance(start, int) else stream.state().last_sequence
