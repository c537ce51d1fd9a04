"""One bucket behind the guard: writes are refused and reads answered from the gateway's own files while it is lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from google.protobuf.message import Message

from gateway.store_guard import Guard
from headway.runtime.records import RecordMissing, Records, Stored, TimeToLive

M = TypeVar("M", bound=Message)
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


Rows = Callable[[str], tuple[bytes, int] | None]
"""The second copy of a bucket: bytes and revision of the record of a key; None when there is none. Does not wait."""


class GuardedRecords(Generic[M]):
    """Wraps `Records`; see there for the contract. While the store is lost, any write raises StoreLost."""

    def __init__(self, records: Records[M], rows: Rows, message_type: type[M], guard: Guard) -> None:
        """Args: records: the bucket. rows: its second copy. message_type: of its values. guard: which one counts."""
        self._records = records
        self._rows = rows
        self._type = message_type
        self._guard = guard

    async def get(self, key: str) -> Stored[M]:
        """The newest revision; of the second copy while the store is lost."""
        stored = await self.find(key)
        if stored is None:
            raise RecordMissing(type(self).__name__, key)
        return stored

    async def find(self, key: str) -> Stored[M] | None:
        """As `get`, with None for a record that does not exist."""
        if self._guard.is_lost:
            return self._kept(key)
        stored = await self._records.find(key)
        # A record that was here and is gone: perhaps the whole store is. Then "there is none" would be a lie.
        if stored is None and self._rows(key) is not None and await self._guard.look():
            return self._kept(key)
        return stored

    async def create(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write a record that must not exist."""
        self._guard.check()
        return await self._records.create(key, value, ttl=ttl)

    async def update(self, key: str, value: M, revision: int, *, ttl: timedelta | None = None) -> int:
        """Replace the revision that was read."""
        self._guard.check()
        return await self._records.update(key, value, revision, ttl=ttl)

    async def put(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write whatever was there before."""
        self._guard.check()
        return await self._records.put(key, value, ttl=ttl)

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Remove a record."""
        self._guard.check()
        await self._records.delete(key, revision)

    async def change(self, key: str, decide: Callable[[M], M | None], *, ttl: TimeToLive[M] | None = None) -> Stored[M]:
        """Read, decide, write."""
        self._guard.check()
        try:
            return await self._records.change(key, decide, ttl=ttl)
        except RecordMissing:
            # As in `find`: what is not there may be lost.
            if self._rows(key) is not None and await self._guard.look():
                self._guard.check()
            raise

    def _kept(self, key: str) -> Stored[M] | None:
        found = self._rows(key)
        return None if found is None else Stored(key, self._type.FromString(found[0]), found[1], _UNKNOWN_TIME)
