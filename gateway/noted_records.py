"""The jobs bucket as the gateway's own writers use it: each acknowledged write is noted, so that lists show it."""

from collections.abc import Callable
from datetime import timedelta

from gateway.projection.view import Projection
from headway.runtime.records import Records, Stored, TimeToLive
from headway.v1.records_pb2 import JobRecord


class NotedRecords:
    """Wraps `Records[JobRecord]`; see there for the contract."""

    def __init__(self, records: Records[JobRecord], projection: Projection) -> None:
        self._records = records
        self._projection = projection

    async def get(self, key: str) -> Stored[JobRecord]:
        return await self._records.get(key)

    async def find(self, key: str) -> Stored[JobRecord] | None:
        return await self._records.find(key)

    async def create(self, key: str, value: JobRecord, *, ttl: timedelta | None = None) -> int:
        return self._noted(await self._records.create(key, value, ttl=ttl))

    async def update(self, key: str, value: JobRecord, revision: int, *, ttl: timedelta | None = None) -> int:
        return self._noted(await self._records.update(key, value, revision, ttl=ttl))

    async def put(self, key: str, value: JobRecord, *, ttl: timedelta | None = None) -> int:
        return self._noted(await self._records.put(key, value, ttl=ttl))

    async def delete(self, key: str, revision: int | None = None) -> None:
        await self._records.delete(key, revision)

    async def change(
        self,
        key: str,
        decide: Callable[[JobRecord], JobRecord | None],
        *,
        ttl: TimeToLive[JobRecord] | None = None,
    ) -> Stored[JobRecord]:
        stored = await self._records.change(key, decide, ttl=ttl)
        self._noted(stored.revision)
        return stored

    def _noted(self, revision: int) -> int:
        self._projection.note_write(revision)
        return revision
