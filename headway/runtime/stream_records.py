"""Records as messages of a bucket's stream.

Writes are plain publishes on the key's subject that name the sequence expected there: one round trip. When an answer
is lost the same write is sent again: the expected sequence lets at most one of the two through, and if the later one
is refused because the earlier one got in, the bytes found there say so.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Generic, TypeVar

from google.protobuf.message import Message

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BucketSpec
from headway.runtime.bus_errors import OutcomeUnknown, SequenceConflict
from headway.runtime.clock import Clock
from headway.runtime.compare_and_set import change_record
from headway.runtime.jetstream import EXPECTED_LAST_SEQUENCE, OPERATION
from headway.runtime.records import Conflict, RecordExists, RecordMissing, Stored, TimeToLive, checked_key
from headway.runtime.requests import RawStored, Requests

M = TypeVar("M", bound=Message)

_MAX_SENDS = 3


class StreamRecords(Generic[M]):
    """One bucket; see `Records` for the contract."""

    def __init__(self, requests: Requests, bucket: BucketSpec, message_type: type[M], clock: Clock) -> None:
        self._requests = requests
        self._bucket = bucket
        self._type = message_type
        self._clock = clock

    async def get(self, key: str) -> Stored[M]:
        """The newest acknowledged revision."""
        stored = await self.find(key)
        if stored is None:
            raise RecordMissing(self._bucket.name, key)
        return stored

    async def find(self, key: str) -> Stored[M] | None:
        """As `get`, with None for a record that does not exist."""
        raw = await self._last(checked_key(key))
        if raw is None or raw.is_deletion:
            return None
        return Stored(key, self._type.FromString(raw.data), raw.sequence, raw.time)

    async def create(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write a record that must not exist."""
        data = value.SerializeToString(deterministic=True)
        try:
            return await self._compare_and_set(checked_key(key), data, 0, ttl)
        except Conflict:
            found = await self._last(key)
            if found is not None and not found.is_deletion:
                raise RecordExists(self._bucket.name, key) from None
            expected = 0 if found is None else found.sequence
        try:
            # The key holds the marker of a deleted or expired record: writing on top of it is the create.
            return await self._compare_and_set(key, data, expected, ttl)
        except Conflict:
            raise RecordExists(self._bucket.name, key) from None

    async def update(self, key: str, value: M, revision: int, *, ttl: timedelta | None = None) -> int:
        """Replace the revision that was read."""
        data = value.SerializeToString(deterministic=True)
        return await self._compare_and_set(checked_key(key), data, revision, ttl)

    async def put(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write whatever was there before."""
        data = value.SerializeToString(deterministic=True)
        published = await self._requests.publish(self._subject(checked_key(key)), data, ttl=ttl)
        return published.sequence

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Remove a record; followers see a deletion."""
        if revision is not None:
            await self._compare_and_set(checked_key(key), b"", revision, None, {OPERATION: "DEL"})
            return
        found = await self._last(checked_key(key))
        if found is not None and not found.is_deletion:
            await self._requests.publish(self._subject(key), b"", headers={OPERATION: "DEL"})

    async def change(self, key: str, decide: Callable[[M], M | None], *, ttl: TimeToLive[M] | None = None) -> Stored[M]:
        """Read, decide, write; again from the start while others win."""
        return await change_record(self, key, decide, ttl=ttl, clock=self._clock)

    async def _compare_and_set(
        self, key: str, data: bytes, revision: int, ttl: timedelta | None, headers: Mapping[str, str] | None = None
    ) -> int:
        fenced = {**(headers or {}), EXPECTED_LAST_SEQUENCE: str(revision)}

        async def send() -> int:
            published = await self._requests.publish(self._subject(key), data, ttl=ttl, headers=fenced)
            return published.sequence

        async def find_mine() -> int | None:
            found = await self._last(key)
            is_mine = found is not None and found.sequence > revision and found.data == data
            return found.sequence if is_mine and found is not None else None

        try:
            return await send_until_known(send, find_mine)
        except SequenceConflict:
            raise Conflict(self._bucket.name, key) from None

    async def _last(self, key: str) -> RawStored | None:
        return await self._requests.last(self._bucket.stream_name, self._subject(key))

    def _subject(self, key: str) -> str:
        return self._bucket.prefix + key


async def send_until_known(send: Callable[[], Awaitable[int]], find_mine: Callable[[], Awaitable[int | None]]) -> int:
    """Send a fenced write until its outcome is known.

    Args:
        send: raises SequenceConflict when the fence does not hold and OutcomeUnknown when no answer came.
        find_mine: the sequence of this very write if it is what the subject holds now.

    Returns:
        The write's sequence.

    Raises:
        SequenceConflict: somebody else's write is there.
        StoreUnavailable: no answer to any try.
    """
    is_unknown = False
    for _ in range(_MAX_SENDS):
        try:
            return await send()
        except OutcomeUnknown:
            is_unknown = True
        except SequenceConflict:
            mine = await find_mine() if is_unknown else None
            if mine is None:
                raise
            return mine
    raise StoreUnavailable("nats-server does not answer; whether the last write happened is unknown")
