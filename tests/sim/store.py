"""Buckets and the stream of events as JetStream keeps them, with the trouble that a network makes on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import Generic, TypeVar

from google.protobuf.message import Message as ProtoMessage

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.bus import Published
from headway.runtime.bus_errors import SequenceConflict
from headway.runtime.feeds import Message
from headway.runtime.records import Conflict, RecordExists, RecordMissing, Stored, TimeToLive
from headway.testing.memory_bus import MemoryBus
from tests.sim.routine import Pause, SimulatedClock, pause

M = TypeVar("M", bound=ProtoMessage)
_MESSAGE_ID = "Nats-Msg-Id"
WINDOW_SECONDS = 5.0
"""Much shorter than the ten minutes of production: nothing rests on it."""
_ROUNDS_MAX = 20


class Trouble(Enum):
    """What becomes of the next write."""

    NONE = auto()
    REFUSED = auto()
    """The server does not answer, and nothing is written."""
    UNKNOWN = auto()
    """It is written, and the answer is lost."""


@dataclass
class Link:
    """One process's way to the server; whoever writes is named, since what is allowed depends on it."""

    writer: str
    trouble: Trouble = Trouble.NONE

    def take(self) -> Trouble:
        trouble, self.trouble = self.trouble, Trouble.NONE
        return trouble


@dataclass
class Table(Generic[M]):
    """What the server holds of one bucket, with everything that was ever written, in order."""

    message_type: type[M]
    clock: SimulatedClock
    on_write: Callable[[str, str, M | None, M], None] = lambda _writer, _key, _before, _after: None
    rows: dict[str, Message] = field(default_factory=dict)
    values: dict[str, M] = field(default_factory=dict)
    log: list[Message] = field(default_factory=list)
    _num_seen: int = 0

    def has_news(self) -> bool:
        """Whether something was written since the last look."""
        has_news, self._num_seen = len(self.log) > self._num_seen, len(self.log)
        return has_news

    def write(self, key: str, value: M, writer: str) -> int:
        data = value.SerializeToString()
        kept = self.message_type.FromString(data)
        sequence, now = len(self.log) + 1, self.clock.now()
        message = Message(subject=key, key=key, data=data, sequence=sequence, time=now, headers={})
        before = self.values.get(key)
        self.rows[key], self.values[key] = message, kept
        self.log.append(message)
        self.on_write(writer, key, before, kept)
        return message.sequence


class SimulatedRecords(Generic[M]):
    """One process's view of a bucket. Each request and each answer is a pause."""

    def __init__(self, table: Table[M], link: Link) -> None:
        self._table = table
        self._link = link

    async def get(self, key: str) -> Stored[M]:
        stored = await self.find(key)
        if stored is None:
            raise RecordMissing("simulated", key)
        return stored

    async def find(self, key: str) -> Stored[M] | None:
        await pause(Pause.TRAVEL)
        row = self._table.rows.get(key)
        if row is None:
            return None
        return Stored(key, self._table.message_type.FromString(row.data), row.sequence, row.time)

    async def create(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        await pause(Pause.TRAVEL)
        if key in self._table.rows:
            raise RecordExists("simulated", key)
        return await self._write(key, value)

    async def update(self, key: str, value: M, revision: int, *, ttl: timedelta | None = None) -> int:
        await pause(Pause.TRAVEL)
        row = self._table.rows.get(key)
        if row is None or row.sequence != revision:
            raise Conflict("simulated", key)
        return await self._write(key, value)

    async def put(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        await pause(Pause.TRAVEL)
        return await self._write(key, value)

    async def delete(self, key: str, revision: int | None = None) -> None:
        await pause(Pause.TRAVEL)
        self._table.rows.pop(key, None)
        self._table.values.pop(key, None)

    async def change(self, key: str, decide: Callable[[M], M | None], *, ttl: TimeToLive[M] | None = None) -> Stored[M]:
        for _ in range(_ROUNDS_MAX):
            stored = await self.get(key)
            changed = decide(stored.value)
            if changed is None:
                return await self.get(key)
            try:
                revision = await self.update(key, changed, stored.revision)
            except Conflict:
                continue
            return Stored(key, changed, revision, stored.time)
        raise AssertionError("others won every time")

    async def _write(self, key: str, value: M) -> int:
        trouble = self._link.take()
        if trouble is Trouble.REFUSED:
            raise StoreUnavailable("simulated: no answer")
        revision = self._table.write(key, value, self._link.writer)
        if trouble is Trouble.UNKNOWN:
            raise StoreUnavailable("simulated: the answer was lost")
        await pause(Pause.TRAVEL)
        return revision


class SimulatedBus(MemoryBus):
    """The stream of events; a repeated message id is dropped for a while, as the server does."""

    def __init__(self, clock: SimulatedClock, server: "SimulatedBus | None" = None) -> None:
        """One connection; with a `server`, another one to the same, on which each answer is a pause."""
        super().__init__(clock)
        self.events: list[Message] = server.events if server is not None else []
        self._time = clock
        self._ids: dict[str, float] = server._ids if server is not None else {}
        self._is_slow = server is not None

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str | None = None,
        expect_last: int | None = None,
        expect_subject: str | None = None,
        ttl: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Published:
        if expect_last is not None:
            self._check_last(expect_subject or subject, expect_last)
        known_at = self._ids.get(message_id or "")
        if known_at is not None and self._time.seconds - known_at < WINDOW_SECONDS:
            return Published(0, is_duplicate=True)
        self._ids[message_id or ""] = self._time.seconds
        message = Message(
            subject=subject,
            key=subject,
            data=data,
            sequence=len(self.events) + 1,
            time=self._time.now(),
            headers={_MESSAGE_ID: message_id or ""},
        )
        self.events.append(message)
        if self._is_slow:
            await pause(Pause.TRAVEL)
        return Published(message.sequence, is_duplicate=False)

    def _check_last(self, pattern: str, expected: int) -> None:
        newest = next((one.sequence for one in reversed(self.events) if _matches(pattern, one.subject)), 0)
        if newest != expected:
            raise SequenceConflict(pattern)

    async def last_message(self, stream: StreamSpec | BucketSpec, subject: str) -> Message | None:
        return next((one for one in reversed(self.events) if _matches(subject, one.subject)), None)


def _matches(pattern: str, subject: str) -> bool:
    wanted, found = pattern.split("."), subject.split(".")
    return len(wanted) == len(found) and all(one in ("*", other) for one, other in zip(wanted, found, strict=True))
