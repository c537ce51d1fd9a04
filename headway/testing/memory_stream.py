"""One JetStream stream in memory: sequences, limits, expiry, duplicate ids, as the server does it."""

import asyncio
import bisect
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headway.contract.errors import DiskFull
from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.bus import Published, StreamState
from headway.runtime.bus_errors import MessageTooLarge, SequenceConflict
from headway.runtime.clock import Clock
from headway.runtime.jetstream import (
    EXPECTED_LAST_SEQUENCE,
    EXPECTED_LAST_SUBJECT,
    MARKER_REASON,
    MESSAGE_ID,
    TIME_TO_LIVE,
)
from headway.runtime.requests import RawStored

_BUCKET_WINDOW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class _Kept:
    message: RawStored
    expire_time: datetime | None

    @property
    def size_bytes(self) -> int:
        return _size(self.message.subject, self.message.data, self.message.headers)


@dataclass(slots=True)
class DurableState:
    """What the server remembers of a durable consumer.

    Attributes:
        delivered: sequence of the newest message given out.
        pending: by sequence, how often it was delivered, and when (monotonic) it is due again.
        due: heap of when and which, for a quick look; entries that `pending` does not bear out mean nothing.
        set_aside: by sequence, why it was terminated.
    """

    delivered: int = 0
    pending: dict[int, tuple[int, float]] = field(default_factory=dict)
    due: list[tuple[float, int]] = field(default_factory=list)
    set_aside: dict[int, str] = field(default_factory=dict)

    def give(self, sequence: int, num_delivered: int, due_seconds: float) -> None:
        """A message is out, and comes again when it is not acknowledged by then."""
        self.pending[sequence] = (num_delivered, due_seconds)
        heapq.heappush(self.due, (due_seconds, sequence))

    def pop_due(self, now_seconds: float) -> int | None:
        """A message that nobody acknowledged in time; None when there is none."""
        while self.due and self.due[0][0] <= now_seconds:
            due_seconds, sequence = heapq.heappop(self.due)
            if self.pending.get(sequence, (0, -1.0))[1] == due_seconds:
                return sequence
        return None


class MemoryStream:
    """The messages of one stream or bucket."""

    def __init__(self, spec: BucketSpec | StreamSpec, clock: Clock, created: datetime) -> None:
        self.spec = spec
        self.created = created
        self._clock = clock
        self._kept: dict[int, _Kept] = {}
        self._sequences: list[int] = []
        self._by_subject: dict[str, list[int]] = {}
        self._ids: dict[str, tuple[int, datetime]] = {}
        self._last_sequence = 0
        self._size_bytes = 0
        self._changed = asyncio.Event()
        self._next_expiry: datetime | None = None
        self.durables: dict[str, DurableState] = {}

    def accepts(self, subject: str) -> bool:
        """Whether a publish on the subject is stored here."""
        return any(matches(pattern, subject) for pattern in self.spec.subjects)

    def publish(self, subject: str, data: bytes, headers: Mapping[str, str]) -> Published:
        """Store one message; see `Requests.publish`."""
        now = self._expire()
        if _size(subject, data, headers) > _max_message_bytes(self.spec):
            raise MessageTooLarge(f"a message on {subject} is over the bound of its stream")
        earlier = self._duplicate(headers.get(MESSAGE_ID), now)
        if earlier is not None:
            return Published(earlier, is_duplicate=True)
        self._check_fence(headers.get(EXPECTED_LAST_SUBJECT, subject), headers.get(EXPECTED_LAST_SEQUENCE))
        self._make_room(_size(subject, data, headers))
        time_to_live = headers.get(TIME_TO_LIVE)
        until = None if time_to_live is None else now + timedelta(seconds=int(time_to_live.rstrip("s")))
        sequence = self._append(subject, data, headers, now, until)
        if MESSAGE_ID in headers:
            self._ids[headers[MESSAGE_ID]] = (sequence, now)
        return Published(sequence, is_duplicate=False)

    def last(self, pattern: str) -> RawStored | None:
        """The newest message whose subject matches."""
        self._expire()
        newest = max(
            (kept[-1] for subject, kept in self._by_subject.items() if kept and matches(pattern, subject)), default=None
        )
        return None if newest is None else self._kept[newest].message

    def after(self, sequence: int, pattern: str | None) -> RawStored | None:
        """The oldest message behind `sequence` that matches."""
        return next(self._following(sequence, pattern), None)

    def num_after(self, sequence: int, pattern: str | None) -> int:
        """How many messages behind `sequence` match."""
        if pattern is None:
            self._expire()
            return len(self._sequences) - bisect.bisect_right(self._sequences, sequence)
        return sum(1 for _ in self._following(sequence, pattern))

    def newest_of_each(self, pattern: str | None) -> list[RawStored]:
        """The newest message of every subject that matches, oldest first."""
        self._expire()
        newest = sorted(kept[-1] for kept in self._by_subject.values() if kept)
        found = [self._kept[sequence].message for sequence in newest]
        return [message for message in found if pattern is None or matches(pattern, message.subject)]

    def last_before(self, moment: datetime) -> int:
        """Sequence of the newest message kept that was stored before a moment; 0 when there is none."""
        self._expire()
        at = bisect.bisect_left(self._sequences, moment, key=lambda sequence: self._kept[sequence].message.time)
        return self._sequences[at - 1] if at else 0

    def holds(self, sequence: int) -> bool:
        """Whether the message is still kept."""
        self._expire()
        return sequence in self._kept

    def state(self) -> StreamState:
        """How far the stream is."""
        self._expire()
        first = self._sequences[0] if self._sequences else self._last_sequence + 1
        return StreamState(
            first,
            self._last_sequence,
            len(self._sequences),
            self.created,
            num_bytes=self._size_bytes,
            max_bytes=self.spec.max_bytes,
        )

    async def wait_for_change(self, at_most_seconds: float) -> None:
        """Return after the next publish, wake or expiry, or after the time."""
        expiries = [kept.expire_time for kept in self._kept.values() if kept.expire_time is not None]
        if expiries:
            left = (min(expiries) - self._clock.now()).total_seconds()
            at_most_seconds = min(at_most_seconds, max(left, 0.001))
        await self._clock.wait_for_event(self._changed, at_most_seconds)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _following(self, sequence: int, pattern: str | None) -> Iterator[RawStored]:
        self._expire()
        for at in range(bisect.bisect_right(self._sequences, sequence), len(self._sequences)):
            message = self._kept[self._sequences[at]].message
            if pattern is None or matches(pattern, message.subject):
                yield message

    def _append(
        self, subject: str, data: bytes, headers: Mapping[str, str], now: datetime, until: datetime | None
    ) -> int:
        self._last_sequence += 1
        sequence = self._last_sequence
        if isinstance(self.spec, StreamSpec):
            until = min(until or datetime.max.replace(tzinfo=now.tzinfo), now + self.spec.max_age)
        kept = _Kept(RawStored(subject, data, sequence, now, dict(headers)), until)
        if until is not None:
            self._next_expiry = min(self._next_expiry or until, until)
        self._kept[sequence] = kept
        self._size_bytes += kept.size_bytes
        self._sequences.append(sequence)
        of_subject = self._by_subject.setdefault(subject, [])
        of_subject.append(sequence)
        limit = 1 if isinstance(self.spec, BucketSpec) else self.spec.max_msgs_per_subject
        while 0 < limit < len(of_subject):
            self._drop(of_subject[0])
        self.wake()
        return sequence

    def _drop(self, sequence: int) -> _Kept:
        kept = self._kept.pop(sequence)
        self._size_bytes -= kept.size_bytes
        self._sequences.pop(bisect.bisect_left(self._sequences, sequence))
        of_subject = self._by_subject[kept.message.subject]
        of_subject.remove(sequence)
        if not of_subject:
            del self._by_subject[kept.message.subject]
        return kept

    def _expire(self) -> datetime:
        """Drop what is over; an expired record leaves a marker for its followers, for a while."""
        now = self._clock.now()
        if self._next_expiry is None or now < self._next_expiry:
            return now
        over = [
            sequence
            for sequence, kept in self._kept.items()
            if kept.expire_time is not None and kept.expire_time <= now
        ]
        for sequence in over:
            dropped = self._drop(sequence).message
            if isinstance(self.spec, BucketSpec) and MARKER_REASON not in dropped.headers:
                marker = {MARKER_REASON: "MaxAge"}
                self._append(dropped.subject, b"", marker, now, now + self.spec.marker_ttl)
        self._next_expiry = min(
            (kept.expire_time for kept in self._kept.values() if kept.expire_time is not None), default=None
        )
        return now

    def _duplicate(self, message_id: str | None, now: datetime) -> int | None:
        window = self.spec.duplicate_window if isinstance(self.spec, StreamSpec) else _BUCKET_WINDOW
        self._ids = {name: seen for name, seen in self._ids.items() if seen[1] > now - window}
        earlier = self._ids.get(message_id) if message_id is not None else None
        return None if earlier is None else earlier[0]

    def _check_fence(self, subject: str, expected: str | None) -> None:
        if expected is None:
            return
        newest = self.last(subject)
        if int(expected) != (newest.sequence if newest is not None else 0):
            raise SequenceConflict(subject)

    def _make_room(self, size_bytes: int) -> None:
        if isinstance(self.spec, BucketSpec):
            if self._size_bytes + size_bytes > self.spec.max_bytes:
                raise DiskFull("The store has no room; nothing was written.", retry_after=timedelta(seconds=30))
            return
        while self._sequences and self._size_bytes + size_bytes > self.spec.max_bytes:
            self._drop(self._sequences[0])


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject matches a pattern: `*` is one token, `>` is one or more at the end."""
    wanted, given = pattern.split("."), subject.split(".")
    for at, part in enumerate(wanted):
        if part == ">":
            return len(given) > at
        if at >= len(given) or part not in {"*", given[at]}:
            return False
    return len(wanted) == len(given)


def _max_message_bytes(spec: BucketSpec | StreamSpec) -> int:
    return spec.max_value_bytes if isinstance(spec, BucketSpec) else spec.max_message_bytes


def _size(subject: str, data: bytes, headers: Mapping[str, str]) -> int:
    return len(subject) + len(data) + sum(len(name) + len(value) + 4 for name, value in headers.items())
