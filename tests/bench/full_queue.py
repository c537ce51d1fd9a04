"""A long queue under load: 10,000 jobs queued, 1,000 watchers, 50 hosts; what they cost, and how fast they drain.

The gateway, the scheduler and nats-server are real; hosts only speak, as `FakeHost` does: they finish a job by writing
its result into its record, as the gateway would for a real host.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from headway.client.client import HeadwayClient
from headway.contract import transitions
from headway.contract.states import is_terminal
from headway.contract.subjects import JOBS
from headway.runtime.channel import open_channel
from headway.runtime.clock import SystemClock
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, responses
from headway.testing.builders import a_host
from headway.testing.fake_host import FakeHost
from headway.testing.nats import running_nats
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_SUCCEEDED, Job, JobResult
from headway.v1.jobs_service_pb2 import CreateJobRequest, WatchJobRequest, WatchJobResponse
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from headway.v1.records_pb2 import JobRecord
from headway.v1.scheduler_service_pb2 import AttemptOrder
from tests.bench.data import write_iris
from tests.bench.load import Call, median, run_load
from tests.bench.processes import gateway, resident_mib, scheduler
from tests.bench.report import Row

NUM_QUEUED = 10_000
NUM_WATCHERS = 1_000
NUM_HOSTS = 50
_SLOTS = 8
_WATCHERS_A_CHANNEL = 100
_ROUNDS = 15
_CALLS_A_ROUND = 60
_P50_BAR = 1.5
_MEMORY_BAR_MIB = 400.0
_PATIENCE_SECONDS = 1800.0
_PARENT = "projects/default"


@dataclass(frozen=True, slots=True)
class World:
    """A gateway and a scheduler on a nats-server of their own.

    Attributes:
        pids: of the services, by name.
        scheduler_address: where hosts call.
        gateway_address: where callers call.
        key: the local key, with every right.
        bus: to write results with.
        create: a call of CreateJob.
    """

    pids: dict[str, int]
    scheduler_address: str
    gateway_address: str
    key: str
    bus: NatsBus
    create: Call

    def memory(self) -> dict[str, float]:
        """Resident memory of each service, MiB."""
        return {name: resident_mib(pid) for name, pid in self.pids.items()}


async def measure() -> list[Row]:
    """Fill one of two worlds, compare their CreateJob by turns, then drain it while watchers look on."""
    with TemporaryDirectory() as folder:
        async with _world(Path(folder) / "empty") as empty, _world(Path(folder) / "full") as full:
            await run_load(full.create, num_calls=NUM_QUEUED, in_flight=32)
            created = await _compare(empty, full)
            return [created, *await _drain(full)]


async def _compare(empty: World, full: World) -> Row:
    ratios, ours, beside = [], [], []
    for number in range(_ROUNDS + 1):
        pair = (empty, full) if number % 2 else (full, empty)
        p50_ms = {}
        for world in pair:
            load = await run_load(world.create, num_calls=_CALLS_A_ROUND, in_flight=1)
            p50_ms[id(world)] = load.p50_ms
        if number:
            ours.append(p50_ms[id(full)])
            beside.append(p50_ms[id(empty)])
            ratios.append(ours[-1] / beside[-1])
    ratio = median(ratios)
    return Row(
        f"CreateJob with {NUM_QUEUED:,} jobs queued, p50",
        f"{median(ours):.2f} ms",
        f"with none queued: {median(beside):.2f} ms",
        f"{ratio:.2f}",
        f"at most {_P50_BAR:g}",
        ratio <= _P50_BAR,
    )


async def _drain(world: World) -> list[Row]:
    before = world.memory()
    async with AsyncExitStack() as stack:
        audience = await stack.enter_async_context(_watched(world))
        watching = world.memory()
        start = time.perf_counter()
        staff = await stack.enter_async_context(_staffed(world))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await staff.done.wait()
            await audience.wait()
        seconds = time.perf_counter() - start
    after = world.memory()
    peak = {name: max(before[name], watching[name], after[name], staff.peak[name]) for name in before}
    num_jobs = len(staff.finished)
    gaps = sum(watcher.num_gaps for watcher in audience.watchers)
    events = sum(watcher.num_changes for watcher in audience.watchers)
    return [
        Row(
            f"{NUM_QUEUED:,} queued jobs drained by {NUM_HOSTS} hosts, {NUM_WATCHERS:,} watchers looking on",
            f"{num_jobs} jobs in {seconds:.0f} s, {num_jobs / seconds:.0f}/s",
            bar="all, each once",
            is_met=num_jobs >= NUM_QUEUED and staff.num_doubles == 0,
        ),
        Row(
            f"Transitions told to {NUM_WATCHERS:,} watchers meanwhile",
            f"{events}, {gaps} missed",
            bar="0 missed, every watcher sees the end",
            is_met=gaps == 0 and all(watcher.has_ended for watcher in audience.watchers),
        ),
        *(
            Row(
                f"Resident memory of {name} at its peak meanwhile",
                f"{peak[name]:.0f} MiB",
                f"with the queue alone: {before[name]:.0f} MiB",
                "",
                f"under {_MEMORY_BAR_MIB:g} MiB",
                peak[name] < _MEMORY_BAR_MIB,
            )
            for name in peak
        ),
    ]


# Watchers


class Watcher:
    """Somebody who watches one job to its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.num_changes = 0
        self.num_gaps = 0
        self.has_ended = False
        self._token = ""
        self._last = 0

    async def follow(self, channel: grpc.aio.Channel, begun: asyncio.Event) -> None:
        """Watch, from token to token when it is cut."""
        stub = JobServiceStub(channel)
        while not self.has_ended:
            request = WatchJobRequest(name=self.name, resume_token=self._token)
            try:
                async with aclosing(responses(stub.WatchJob(request))) as messages:
                    async for message in messages:
                        self._note(message)
                        begun.set()
            except RemoteError as error:
                if error.reason != "WATCH_LAGGED" and not error.is_retryable:
                    raise

    def _note(self, message: WatchJobResponse) -> None:
        self._token = message.resume_token
        if message.HasField("snapshot"):
            self._last = message.snapshot.transitions[-1].number
            self.has_ended = is_terminal(message.snapshot.state)
        if message.HasField("change"):
            self.num_changes += 1
            self.num_gaps += message.change.transition.number != self._last + 1
            self._last = message.change.transition.number
            self.has_ended = is_terminal(message.change.transition.to_state)


@dataclass(frozen=True, slots=True)
class Audience:
    """All watchers."""

    watchers: list[Watcher]
    tasks: list[asyncio.Task[None]]

    async def wait(self) -> None:
        """Wait until each has seen its job's end."""
        await asyncio.gather(*self.tasks)


@asynccontextmanager
async def _watched(world: World) -> AsyncGenerator[Audience, None]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(HeadwayClient.connect(world.gateway_address, world.key))
        names = [job.name async for job in client.jobs.list(page_size=1000)][:: NUM_QUEUED // NUM_WATCHERS]
        watchers = [Watcher(name) for name in names[:NUM_WATCHERS]]
        begun = [asyncio.Event() for _ in watchers]
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks: list[asyncio.Task[None]] = []
        for at in range(0, len(watchers), _WATCHERS_A_CHANNEL):
            channel = await stack.enter_async_context(open_channel(world.gateway_address, api_key=world.key))
            for watcher, event in list(zip(watchers, begun, strict=True))[at : at + _WATCHERS_A_CHANNEL]:
                tasks.append(group.create_task(watcher.follow(channel, event)))
        await asyncio.gather(*(event.wait() for event in begun))
        yield Audience(watchers, tasks)
        for task in tasks:
            task.cancel()


# Hosts


class Staff:
    """Fifty hosts that finish whatever they are ordered to do."""

    def __init__(self, world: World, num_jobs: int) -> None:
        self.finished: set[str] = set()
        self.num_doubles = 0
        self.done = asyncio.Event()
        self.peak = world.memory()
        self._world = world
        self._num_jobs = num_jobs
        self._records = world.bus.records(JOBS, JobRecord)
        self._clock = SystemClock()

    async def work(self, host: FakeHost) -> None:
        """Finish each order of a host, one after the other."""
        while True:
            try:
                order = await host.next_order(_PATIENCE_SECONDS)
            except TimeoutError:
                return
            await self._finish(host, order)

    async def look(self) -> None:
        """Note the most memory that is ever taken."""
        while True:
            await self._clock.sleep(1.0)
            for name, mib in self._world.memory().items():
                self.peak[name] = max(self.peak[name], mib)

    async def _finish(self, host: FakeHost, order: AttemptOrder) -> None:
        result = JobResult(attempt=order.attempt)

        def decide(record: JobRecord) -> JobRecord:
            return transitions.commit_result(record, host=host.host.name, result=result, now=self._clock.now())

        await self._records.change(order.job.rpartition("/")[2], decide)
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        self.num_doubles += order.job in self.finished
        self.finished.add(order.job)
        if len(self.finished) >= self._num_jobs:
            self.done.set()


@asynccontextmanager
async def _staffed(world: World) -> AsyncGenerator[Staff, None]:
    async with AsyncExitStack() as stack:
        staff = Staff(world, (await world.bus.stream_state(JOBS)).num_messages)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(staff.look())]
        for number in range(NUM_HOSTS):
            host = FakeHost(world.scheduler_address, a_host(f"h{number}", num_slots=_SLOTS), api_key=world.key)
            tasks.append(group.create_task(staff.work(await stack.enter_async_context(host))))
        yield staff
        for task in tasks:
            task.cancel()


# Processes


@asynccontextmanager
async def _world(folder: Path) -> AsyncGenerator[World, None]:
    home = folder / "home"
    environ = {"HEADWAY_GATEWAY__JOBS__QUEUED_PER_PROJECT": "20000", "HEADWAY_GATEWAY__JOBS__QUEUED_PER_KEY": "20000"}
    async with (
        running_nats(folder / "nats") as server,
        gateway(home, server, environ) as (address, gateway_pid),
        scheduler(folder / "scheduler", server) as (scheduler_address, scheduler_pid),
        HeadwayClient.connect(address, home=home) as client,
        connect(server.url, "bench") as bus,
    ):
        await client.datasets.upload(write_iris(folder), dataset_id="iris")
        key = client.target.key or ""
        async with open_channel(address, api_key=key) as channel:
            pids = {"gateway": gateway_pid, "scheduler": scheduler_pid, "nats-server": _pid(server)}
            yield World(pids, scheduler_address, address, key, bus, _create_job(channel))


def _pid(server: NatsServer) -> int:
    if server.pid is None:
        raise RuntimeError("nats-server does not run")
    return server.pid


def _create_job(channel: grpc.aio.Channel) -> Call:
    stub = JobServiceStub(channel)
    spec = JobSpec(
        display_name="bench", tabular_train=TabularTrainSpec(dataset="iris", target_column="target", epochs=50)
    )

    async def call(_: int) -> None:
        await stub.CreateJob(CreateJobRequest(parent=_PARENT, job=Job(spec=spec)), timeout=60)

    return call
