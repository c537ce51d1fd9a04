"""A scheduler without gRPC and without a server: its parts over a bus in memory, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from headway.contract.subjects import BUCKETS, EVENTS, JOBS, STREAMS, BucketSpec, StreamSpec
from headway.runtime.feeds import Message
from headway.testing.builders import A_MOMENT
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO
from headway.v1.jobs_pb2 import Job
from headway.v1.records_pb2 import JobRecord
from scheduler.apply import Applier
from scheduler.cluster_view import ClusterView, Moment
from scheduler.host_table import Voice, Word
from scheduler.signals import Signals

LEASE_SECONDS = 15.0


class Stage:
    """The parts that most tests need."""

    def __init__(self) -> None:
        self.clock = ManualClock(A_MOMENT)
        self.bus = MemoryBus(self.clock)
        self.signals = Signals()
        self.view = ClusterView(LEASE_SECONDS, EXECUTION_MODE_AUTO, self.signals)
        self.records = self.bus.records(JOBS, JobRecord)
        self.is_leading = True
        self.applier = Applier(self.records, self.view, self.clock, clean=str, is_leading=lambda: self.is_leading)
        self.recovered = asyncio.Event()

    async def provision(self) -> "Stage":
        await self.bus.provision(BUCKETS, STREAMS)
        return self

    def now(self) -> Moment:
        return Moment(self.clock.now(), self.clock.monotonic())

    async def store(self, record: JobRecord) -> str:
        """Create the record, and take it in."""
        job_id = record.job.name.rpartition("/")[2]
        revision = await self.records.create(job_id, record)
        self.view.put_job(job_id, revision, record, self.now())
        return job_id

    async def job(self, job_id: str) -> Job:
        return (await self.records.get(job_id)).value.job

    def hear(self, word: Word, voice: Voice | None = None) -> Voice:
        speaker = voice if voice is not None else Voice()
        self.view.hear(word, speaker, self.now())
        return speaker

    async def messages(self, spec: StreamSpec | BucketSpec = EVENTS) -> list[Message]:
        """Everything that a stream holds."""
        found: list[Message] = []
        async with self.bus.feed(spec) as feed:
            while not feed.is_caught_up:
                found.append(await anext(aiter(feed)))
        return found


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run loops for the length of the block; one that dies fails the test."""

    async def run(loop: Callable[[], Awaitable[None]]) -> None:
        await loop()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run(loop)) for loop in loops]
        await asyncio.sleep(0)
        yield
        for task in tasks:
            task.cancel()


async def a_stage() -> Stage:
    return await Stage().provision()
