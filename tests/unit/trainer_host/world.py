"""A trainer host without its processes: real outbox, table and gRPC, fake children and gateway."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from headway.contract.digests import sha256_of
from headway.runtime.clock import SystemClock
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from headway.v1.scheduler_service_pb2 import (
    AttemptOrder,
    AttemptReference,
    AttemptReport,
    AttemptStop,
    SynchronizeResponse,
)
from tests.unit.trainer_host.doubles import FakeChild
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempt_run import CheckpointPace, Means
from trainer_host.attempt_store import AttemptStore
from trainer_host.attempt_supervisor import AttemptSupervisor
from trainer_host.attempts import AttemptTable
from trainer_host.checkpoint_fetch import CheckpointFetch
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.checkpoint_uploads import CheckpointUploads
from trainer_host.child_messages import ArtifactFile, Finished, Log, RunAttempt, Summary
from trainer_host.children import ChildPool
from trainer_host.delivery import Delivery
from trainer_host.files import make_directory
from trainer_host.input_cache import InputCache
from trainer_host.inputs import Inputs
from trainer_host.outbox import Outbox
from trainer_host.retries import Pace
from trainer_host.telemetry import AttemptTelemetry
from trainer_host.uploads import Uploads

MANIFEST = b'{"toy": true}'
QUICK = Pace(first_seconds=0.01, longest_seconds=0.02)
STOP_LIMIT_SECONDS = 0.2


class Tasks:
    """Owns the tasks of a test."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self.tasks: set[asyncio.Task[None]] = set()

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        async def run() -> None:
            await work

        task = self._group.create_task(run(), name=name)
        self.tasks.add(task)
        return task


@dataclass
class World:
    """Everything that a test looks at."""

    means: Means
    supervisor: AttemptSupervisor
    table: AttemptTable
    outbox: Outbox
    children: list[FakeChild] = field(default_factory=list)

    def apply(
        self,
        *,
        run: tuple[AttemptOrder, ...] = (),
        stop: tuple[AttemptStop, ...] = (),
        release: tuple[AttemptReference, ...] = (),
    ) -> None:
        """As if the scheduler had said so."""
        self.supervisor.apply(SynchronizeResponse(run=run, stop=stop, release=release))

    async def child_of(self, key: AttemptKey) -> FakeChild:
        """The child that has the order for an attempt."""

        def find() -> FakeChild | None:
            for child in self.children:
                for message in child.heard:
                    if isinstance(message, RunAttempt) and AttemptKey(message.job, message.attempt) == key:
                        return child
            return None

        found = await eventually(find)
        assert found is not None
        return found

    async def report_when_over(self, key: AttemptKey) -> AttemptReport:
        def over() -> AttemptReport | None:
            report = self.table.get(key)
            return report if report is not None and report.outcome else None

        found = await eventually(over)
        assert found is not None
        return found


async def finish(child: FakeChild, *, lines: tuple[str, ...] = ()) -> None:
    """Let a child write its bundle and say so."""
    order = next(message for message in child.heard if isinstance(message, RunAttempt))
    bundle_dir = Path(order.work_dir) / "bundle"
    bundle_dir.mkdir()
    (bundle_dir / "manifest.json").write_bytes(MANIFEST)
    for line in lines:
        child.says.put_nowait(Log(time=1.0, level="info", message=line))
    digest = sha256_of(MANIFEST)
    file = ArtifactFile(path="manifest.json", digest=digest, size_bytes=len(MANIFEST), media_type="application/json")
    child.says.put_nowait(
        Finished(bundle_dir=str(bundle_dir), manifest_digest=digest, artifacts=(file,), summary=Summary(task="toy"))
    )


@asynccontextmanager
async def a_world(
    root: Path,
    channel: grpc.aio.Channel,
    *,
    num_slots: int = 2,
    stop_limit_seconds: float = STOP_LIMIT_SECONDS,
    child: FakeChild | None = None,
    checkpoint_limit_seconds: float = 5.0,
) -> AsyncIterator[World]:
    clock = SystemClock()
    children: list[FakeChild] = []

    def new_child() -> FakeChild:
        made = child if child is not None and not children else FakeChild()
        children.append(made)
        return made

    table = AttemptTable(AttemptStore(root / "attempts"), clock)
    outbox = Outbox(root / "outbox")
    outbox.prepare()
    cache = InputCache(root / "cache", limit_bytes=1_000_000)
    cache.prepare()
    checkpoints = CheckpointStore(root / "checkpoints")
    checkpoints.prepare()
    pool = ChildPool(new_child, clock, news=table.changed)
    blobs, results = BlobServiceStub(channel), ResultServiceStub(channel)
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.spawn("pool", pool.run())
        means = Means(
            host="hosts/h",
            work_dir=make_directory(root / "work"),
            table=table,
            inputs=Inputs(cache, blobs, clock, QUICK),
            pool=pool,
            outbox=outbox,
            delivery=Delivery(Uploads(blobs), results, clock, QUICK),
            checkpoints=checkpoints,
            checkpoint_fetch=CheckpointFetch(checkpoints, blobs, clock, QUICK),
            new_checkpoint_uploads=lambda key: CheckpointUploads(
                key, "hosts/h", uploads=Uploads(blobs), results=results, store=checkpoints, clock=clock, pace=QUICK
            ),
            checkpoint_pace=CheckpointPace(
                interval_seconds=60, interval_steps=0, limit_seconds=checkpoint_limit_seconds
            ),
            new_telemetry=lambda key: AttemptTelemetry(key, "hosts/h", results, clock),
            spawner=tasks,
            clock=clock,
            slots=asyncio.Semaphore(num_slots),
            inference_slots=asyncio.Semaphore(1),
            stop_limit_seconds=stop_limit_seconds,
            disk_pace=QUICK,
        )
        supervisor = AttemptSupervisor(means)
        await supervisor.restore()
        try:
            yield World(means, supervisor, table, outbox, children)
        finally:
            for task in tasks.tasks:
                task.cancel()
