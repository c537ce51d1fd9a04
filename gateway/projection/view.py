"""The projection as the gateway uses it: answers lists, and never shows less than was acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gateway.projection.filter_sql import Condition
from gateway.projection.order import Order
from gateway.projection.page_token import Cursor
from gateway.projection.rows import JobSeen
from gateway.projection.table import JobTable, QueuedRow, StoredRow
from headway.contract.errors import StoreUnavailable
from headway.runtime.clock import Clock

T = TypeVar("T")

BATCH_MAX = 512
"""Rows of one commit; a rebuild writes about 10,000 rows a second in such batches."""

GATHER_SECONDS = 0.2
"""How long rows gather before they are written, unless a list asks for them: fsync-free, but not free."""

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


class Projection:
    """Rows of the jobs bucket, written in batches by one worker thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file.

        Args:
            path: of the SQLite file; its folder exists.
            clock: for the time that rows gather.
        """
        self._table = JobTable(path)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="projection")
        self._gathered: list[JobSeen] = []
        self._has_rows = asyncio.Event()
        self._writing = asyncio.Lock()
        self._seen_sequence = 0
        self._acknowledged = 0
        self._stream_created: datetime | None = None
        self._moved = asyncio.Event()
        self._begun = asyncio.Event()

    async def begin(self, stream_created: datetime) -> int:
        """Take up the stream where the rows end; rows of another stream are thrown away.

        Returns:
            The sequence to follow from.
        """
        created, last_sequence = await self._run(self._table.position)
        if created != stream_created:
            await self._run(lambda: self._table.reset(stream_created))
            last_sequence = 0
        self._gathered.clear()
        self._seen_sequence = last_sequence
        # Revisions of another stream mean nothing in this one; those of the first came from this very one.
        if self._stream_created not in (None, stream_created):
            self._acknowledged = 0
        self._stream_created = stream_created
        # Whoever waits for this goes on after the follower has said what was acknowledged before it began.
        self._begun.set()
        return last_sequence + 1

    async def aclose(self) -> None:
        """Let the worker finish and close the file."""
        self._thread.shutdown(wait=True)
        self._table.close()

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

    @property
    def is_crowded(self) -> bool:
        """Whether the follower should wait for `flush` before it offers more."""
        return len(self._gathered) >= BATCH_MAX

    def note_write(self, revision: int) -> None:
        """Remember that this gateway acknowledged a write: later lists must show it."""
        if revision > max(self._acknowledged, self._seen_sequence):
            self._acknowledged = revision
            self._moved.clear()

    async def write_for_ever(self) -> None:
        """Write what gathers, a batch at a time. A loop of the service."""
        while True:
            await self._has_rows.wait()
            await self._clock.sleep(GATHER_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered."""
        async with self._writing:
            batch, self._gathered = self._gathered, []
            self._has_rows.clear()
            if batch:
                last_sequence = batch[-1].revision
                await self._run(lambda: self._table.apply(batch, last_sequence))

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
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
