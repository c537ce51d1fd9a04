"""The small buckets in the projection's file, as the gateway uses them: a second copy, should the store be lost."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gateway.projection.disk_trouble import disk_trouble_is_told
from gateway.projection.mirror_table import KnownStore, MirrorTable, RecordSeen
from headway.contract.errors import DiskFull
from headway.runtime.clock import Clock

T = TypeVar("T")
GATHER_SECONDS = 0.2
"""How long records gather before they are written."""


class Mirror:
    """Records of the buckets other than `jobs`, written in batches by the projection's worker thread."""

    def __init__(self, path: Path, clock: Clock, thread: Executor) -> None:
        """Args: path: of the projection's file, which exists. clock: for gathering. thread: does the file work."""
        self._table = MirrorTable(path)
        self._clock = clock
        self._thread = thread
        self._gathered: list[RecordSeen] = []
        self._has_rows = asyncio.Event()
        self.store = self._table.store()

    def close(self) -> None:
        """Close the file, once the worker has ended."""
        self._table.close()

    async def begin(self, bucket: str, stream_created: datetime) -> int:
        """Take up a bucket's stream where the rows end; returns the sequence to follow from."""
        created, last_sequence = await self._run(lambda: self._table.position(bucket))
        if created == stream_created:
            return last_sequence + 1
        await self._run(lambda: self._table.begin(bucket, stream_created))
        return 1

    async def position(self, bucket: str) -> tuple[datetime | None, int]:
        """The stream that a bucket's rows came from, None before the first, and the last sequence of it."""
        return await self._run(lambda: self._table.position(bucket))

    def offer(self, seen: RecordSeen) -> None:
        """Take the next revision from a bucket's stream."""
        self._gathered.append(seen)
        self._has_rows.set()

    async def write_for_ever(self) -> None:
        """Write what gathers, a batch at a time. A loop of the service."""
        while True:
            await self._has_rows.wait()
            await self._clock.sleep(GATHER_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered; what a full disk does not take stays gathered."""
        batch, self._gathered = self._gathered, []
        self._has_rows.clear()
        if not batch:
            return
        try:
            await self._run(lambda: self._table.apply(batch))
        except DiskFull:
            # The newest of each record is enough, so that this cannot grow without bound.
            newest = {(seen.bucket, seen.key): seen for seen in (*batch, *self._gathered)}
            self._gathered = sorted(newest.values(), key=lambda seen: seen.revision)
            self._has_rows.set()

    def find(self, bucket: str, key: str) -> tuple[bytes, int] | None:
        """Bytes and revision of one record, as far as was written. Does not wait."""
        return self._table.find(bucket, key)

    async def records(self, bucket: str) -> list[tuple[str, int, bytes]]:
        """Key, revision and bytes of every record of a bucket."""
        return await self._run(lambda: list(self._table.records(bucket)))

    async def remember(self, known: KnownStore) -> None:
        """Remember which store the rows are of."""
        await self._run(lambda: self._table.set_store(known))
        self.store = known

    async def take_over(self, known: KnownStore) -> None:
        """Take the rows to be of another store, which holds all of them."""
        await self._run(lambda: self._table.forget_positions(known))
        self.store = known

    async def _run(self, work: Callable[[], T]) -> T:
        with disk_trouble_is_told():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
