"""The jobs bucket as the gateway's own writers use it: each acknowledged write is noted, so that lists show it."""

from collections.abc import Callable
from datetime import timedelta

from gateway.projection.rows import JobSeen
from gateway.projection.view import Projection
from gateway.store_guard import UNGUARDED, Guard
from headway.contract.errors import StoreUnavailable
from headway.runtime.records import Records, Stored, TimeToLive
from headway.v1.records_pb2 import JobRecord


class NotedRecords:
    """Wraps `Records[JobRecord]`; see there for the contract."""

    def __init__(self, records: Records[JobRecord], projection: Projection, guard: Guard = UNGUARDED) -> None:
        """Args: records: the bucket. projection: shows what was acknowledged. guard: hears of another store."""
        self._records = records
        self._projection = projection
        self._guard = guard

    async def get(self, key: str) -> Stored[JobRecord]:
        return await self._records.get(key)

    async def find(self, key: str) -> Stored[JobRecord] | None:
        return await self._records.find(key)

    async def create(self, key: str, value: JobRecord, *, ttl: timedelta | None = None) -> int:
        newest = self._projection.newest_revision
        return self._noted(key, value, await self._records.create(key, value, ttl=ttl), newest)

    async def update(self, key: str, value: JobRecord, revision: int, *, ttl: timedelta | None = None) -> int:
        newest = self._projection.newest_revision
        return self._noted(key, value, await self._records.update(key, value, revision, ttl=ttl), newest)

    async def put(self, key: str, value: JobRecord, *, ttl: timedelta | None = None) -> int:
        newest = self._projection.newest_revision
        return self._noted(key, value, await self._records.put(key, value, ttl=ttl), newest)

    async def delete(self, key: str, revision: int | None = None) -> None:
        await self._records.delete(key, revision)

    async def change(
        self,
        key: str,
        decide: Callable[[JobRecord], JobRecord | None],
        *,
        ttl: TimeToLive[JobRecord] | None = None,
    ) -> Stored[JobRecord]:
        newest = self._projection.newest_revision
        is_written = False

        def noting(record: JobRecord) -> JobRecord | None:
            nonlocal is_written
            changed = decide(record)
            is_written = changed is not None
            return changed

        stored = await self._records.change(key, noting, ttl=ttl)
        if is_written:
            self._noted(key, stored.value, stored.revision, newest)
        else:
            self._projection.note_write(stored.revision)
        return stored

    def _noted(self, key: str, record: JobRecord, revision: int, newest: int) -> int:
        """Note a write, unless it met another store: a bucket that was made anew counts from 1 again."""
        if revision <= newest:
            self._guard.declare("a write met a jobs bucket that was made anew, or an old copy of it")
            # Not STORE_LOST, which says that nothing was written.
            raise StoreUnavailable("the write met another store than the one that is known; what becomes of it is open")
        # A copy: whoever made the record may fill in what only its readers see.
        data = record.SerializeToString()
        self._projection.note_write(revision, JobSeen(key, revision, JobRecord.FromString(data), data))
        return revision
