"""The projection as the gateway uses it: answers lists, and never shows less than was acknowledged."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gateway.projection.disk_trouble import disk_trouble_is_told
from gateway.projection.filter_sql import Condition
from gateway.projection.mirror import Mirror
from gateway.projection.order import Order
from gateway.projection.page_token import Cursor
from gateway.projection.rows import JobSeen, microseconds
from gateway.projection.table import InternalRow, JobTable, QueuedRow, StoredRow
from headway.contract.errors import DiskFull, StoreUnavailable
from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.v1.records_pb2 import JobRecord

T = TypeVar("T")
_log = get_logger(__name__)

BATCH_MAX = 512
"""Rows of one commit; a rebuild writes about 10,000 rows a second in such batches."""

GATHER_SECONDS = 0.2
"""How long rows gather before they are written, unless a list asks for them: fsync-free, but not free."""

FULL_DISK_SECONDS = 1.0
"""Between two tries to write rows while the disk is full."""

CATCH_UP_SECONDS = 2.0
"""How long a list waits for the writes that this gateway has acknowledged; they are usually there."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows.

    Attributes:
        rows: at most as many as asked for.
        has_more: whether more rows follow.
        total: rows on all pages.
    """

    rows: list[StoredRow]
    has_more: bool
    total: int


class AnotherStream(Exception):
    """The rows came from another stream than the one that is to be followed; nothing was changed."""


class Projection:
    """Rows of the jobs bucket, written in batches by one worker thread; and beside them those of the other buckets.

    Attributes:
        mirror: the other buckets.
        stream_created: when the stream was made that is followed; None before `begin`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file.

        Args:
            path: of the SQLite file; its folder exists.
            clock: for the time that rows gather.

        Raises:
            ProjectionDamaged: the file cannot be used.
        """
        self._table = JobTable(path)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="projection")
        self.mirror = Mirror(path, clock, self._thread)
        self._gathered: list[JobSeen] = []
        self._has_rows = asyncio.Event()
        self._writing = asyncio.Lock()
        self._is_disk_full = False
        self._seen_sequence = 0
        self._acknowledged = 0
        self._unseen: dict[str, JobSeen] = {}
        self.stream_created: datetime | None = None
        self._moved = asyncio.Event()
        self._begun = asyncio.Event()

    async def begin(self, stream_created: datetime) -> int:
        """Take up the stream where the rows end.

        Returns:
            The sequence to follow from.

        Raises:
            AnotherStream: the rows are of another stream. They are the second copy of what was in it, so nothing but
                `headway recover` may let go of them.
        """
        created, last_sequence = await self._run(self._table.position)
        if created is None:
            await self._run(lambda: self._table.begin(stream_created))
        elif created != stream_created:
            raise AnotherStream(stream_created.isoformat())
        self._gathered.clear()
        self._seen_sequence = last_sequence
        self.stream_created = stream_created
        # Whoever waits for this goes on after the follower has said what was acknowledged before it began.
        self._begun.set()
        return last_sequence + 1

    def stand_still(self) -> None:
        """Answer from what is known: the store is lost, and nobody will tell of more.

        What was acknowledged here, and not told by the stream before it was lost, becomes rows too.
        """
        for seen in self._unseen.values():
            self._gathered.append(seen)
            self._has_rows.set()
        self._unseen.clear()
        self._acknowledged = 0
        self._moved.set()
        self._begun.set()

    async def aclose(self) -> None:
        """Let the worker finish and close the file."""
        self._thread.shutdown(wait=True)
        self._table.close()
        self.mirror.close()

    def offer(self, seen: JobSeen) -> None:
        """Take the next revision from the bucket's stream."""
        self._gathered.append(seen)
        self._has_rows.set()
        self.saw_everything_until(seen.revision)

    def saw_everything_until(self, sequence: int) -> None:
        """Know that the stream holds nothing unseen up to a sequence."""
        self._seen_sequence = max(sequence, self._seen_sequence)
        if self._seen_sequence >= self._acknowledged:
            self._moved.set()
        while self._unseen and next(iter(self._unseen.values())).revision <= self._seen_sequence:
            del self._unseen[next(iter(self._unseen))]

    @property
    def is_crowded(self) -> bool:
        """Whether the follower should wait for `flush` before it offers more."""
        return len(self._gathered) >= BATCH_MAX and not self._is_disk_full

    def note_write(self, revision: int, seen: JobSeen | None = None) -> None:
        """Remember that this gateway acknowledged a write: later lists must show it.

        Args:
            revision: of the write.
            seen: the write itself, for the case that the stream is lost before it tells of it.
        """
        if revision > self.newest_revision:
            self._acknowledged = revision
            self._moved.clear()
        if seen is not None and revision > self._seen_sequence:
            # The oldest first; acknowledgements come nearly in order, and what is left over waits a little longer.
            self._unseen.pop(seen.job_id, None)
            self._unseen[seen.job_id] = seen

    async def write_for_ever(self) -> None:
        """Write what gathers, a batch at a time. A loop of the service."""
        while True:
            await self._has_rows.wait()
            await self._clock.sleep(FULL_DISK_SECONDS if self._is_disk_full else GATHER_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered. What a full disk does not take stays gathered, and is in every list all the same."""
        async with self._writing:
            batch, self._gathered = self._gathered, []
            self._has_rows.clear()
            if not batch:
                return
            try:
                await self._run(lambda: self._apply(batch))
            except DiskFull as error:
                self._keep(batch, error)
            else:
                self._is_disk_full = False

    def _apply(self, batch: list[JobSeen]) -> None:
        try:
            with disk_trouble_is_told():
                self._table.apply(batch, batch[-1].revision)
        except DiskFull:
            self._table.show(batch)
            raise

    def _keep(self, batch: list[JobSeen], error: DiskFull) -> None:
        # Of each job the newest is enough, so that this cannot grow without bound.
        newest = {seen.job_id: seen for seen in (*batch, *self._gathered)}
        self._gathered = sorted(newest.values(), key=lambda seen: seen.revision)
        self._has_rows.set()
        if not self._is_disk_full:
            _log.error("the rows of lists are kept in memory: the disk takes none", why=error.message)
        self._is_disk_full = True

    async def page(self, condition: Condition, order: Order, after: Cursor | None, size: int) -> Page:
        """One page of the jobs that match, with every write that this gateway acknowledged before.

        Raises:
            StoreUnavailable: the stream does not tell of an acknowledged write; nats-server is away.
        """
        await self._catch_up()
        await self.flush()

        def read() -> Page:
            rows = self._table.page(condition, order, after, size + 1)
            return Page(rows[:size], len(rows) > size, self._table.count(condition))

        return await self._run(read)

    async def num_ahead(self, project: str, job_id: str) -> int:
        """Queued jobs of the project that go before this one, by priority and age."""
        await self.flush()
        return await self._run(lambda: self._table.num_ahead(project, job_id))

    async def queued(self) -> Sequence[QueuedRow]:
        """Every queued job, as far as the rows tell."""
        return await self._run(lambda: list(self._table.queued()))

    async def newest_results(self, kinds: Collection[str], since: datetime, limit: int) -> list[JobRecord]:
        """Jobs of some kinds that ended with a result, the newest first, as far as the rows tell.

        Args:
            kinds: of the jobs.
            since: when they ended at the earliest.
            limit: how many at most.
        """
        earliest = microseconds(timestamp(since))
        found = await self._run(lambda: self._table.newest_results(kinds, earliest, limit))
        return [JobRecord.FromString(data) for data in found]

    async def internal(self) -> Sequence[InternalRow]:
        """Every job that is nobody's, as far as the rows tell."""
        return await self._run(lambda: list(self._table.internal()))

    async def forget(self, job_id: str) -> None:
        """Drop the row of a job whose record is gone, and of whose deletion the stream tells no longer."""
        await self._run(lambda: self._table.forget(job_id))

    async def position(self) -> tuple[datetime | None, int]:
        """The stream that the rows came from, None before the first, and the last sequence of it."""
        return await self._run(self._table.position)

    async def records(self) -> list[tuple[str, int, bytes]]:
        """Job id, revision and bytes of every job."""
        return await self._run(lambda: list(self._table.records()))

    async def num_jobs(self) -> int:
        """How many jobs there are."""
        return await self._run(self._table.num_jobs)

    def find(self, job_id: str) -> tuple[bytes, int] | None:
        """Bytes and revision of a job's record, as far as was written. Does not wait."""
        return self._table.find(job_id)

    @property
    def newest_revision(self) -> int:
        """The newest revision that the stream told of or that was acknowledged here: a new write's is greater."""
        return max(self._acknowledged, self._seen_sequence)

    def probably_contains(self, job_id: str) -> bool:
        """Whether the job is among the rows; a job of the last moments may be missing. Does not wait."""
        return self._table.contains(job_id)

    async def _catch_up(self) -> None:
        # The server answers before its loops run: until the follower has looked, nobody knows what is missing.
        if not await self._clock.wait_for_event(self._begun, CATCH_UP_SECONDS):
            raise StoreUnavailable("the list is not read in yet; nats-server does not answer")
        if self._seen_sequence >= self._acknowledged:
            return
        if not await self._clock.wait_for_event(self._moved, CATCH_UP_SECONDS):
            raise StoreUnavailable("the list is behind a write that was acknowledged; nats-server does not answer")

    async def _run(self, work: Callable[[], T]) -> T:
        with disk_trouble_is_told():
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
