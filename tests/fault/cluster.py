"""All of headway as real processes that a test can kill, freeze and start again one by one.

    async with fault_cluster(tmp_path, hosts=2) as cluster:
        job = await cluster.submit(ToySpec(num_steps=200, step_seconds=0.005))   # the name; noted in the history
        cluster.watch(job)                                # a watcher in the background, over restarts; optional
        await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        cluster.gateway.kill9()                           # or .stop() and .cont(), await .terminate()
        await cluster.gateway.restart()                   # the same port and home; environ={...} for this start only
        done = await cluster.ended(job)
        await cluster.check()                             # everything serves, and the checker finds nothing

Each process is a `Proc` with a log of its own (`cluster.hosts[0].log()`). `Proc.stop()` freezes a host with its
children; `Proc.kill9()` kills the agent alone, `kill9_tree()` its children too. `cluster.revive()` starts whatever has
ended and lets go on whatever is frozen. Calls that may be broken by the fault are the caller's to repeat, with the same
`request_id`: `workload.submit_until_acked` does. With `links=True` each connection between two services passes a proxy:
`cluster.links["h1-gateway"]`, `["h1-scheduler1"]`, `["gateway-nats"]`, `["scheduler1-nats"]`,
`["gateway-scheduler1"]`. The toy runs without torch; hosts save a checkpoint at every step unless `host_environ` says
otherwise. Everything dies with the test.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Self

from headway.client.client import HeadwayClient
from headway.client.retries import Patience
from headway.contract.ids import new_job_id
from headway.contract.states import is_terminal
from headway.runtime.keys import make_key, read_key_file
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import Job
from tests.fault import figures
from tests.fault.checker import find_faults
from tests.fault.final_state import collect, processes_of
from tests.fault.history import Call, History, Watching
from tests.fault.link import Link, linked
from tests.fault.plans import ClusterPlan, Setting
from tests.fault.process import Proc, all_ready

PROJECT = "demo"
END_LIMIT_SECONDS = 60.0
_WATCH_PATIENCE = Patience(give_up_seconds=300.0, longest_wait_seconds=0.5)


class FaultCluster:
    """What a test may touch.

    Attributes:
        folder: everything lies below it.
        plan: settings, ports, homes.
        nats: the nats-server.
        gateway: the gateway.
        schedulers: one, or several of which one leads.
        hosts: `h1`, `h2`, ...
        links: proxies by name, when there are any.
        history: every call that was made here.
        random: chooses victims and moments, from the seed of the run.
    """

    def __init__(self, plan: ClusterPlan, links: Mapping[str, Link]) -> None:
        self.folder = plan.folder
        self.plan = plan
        self.links = dict(links)
        self.history = History()
        self.random = Random(figures.seed())
        self.nats = plan.nats()
        self.gateway = plan.gateway()
        self.schedulers = [plan.scheduler(number) for number in range(1, plan.setting.schedulers + 1)]
        self.hosts = [plan.host(number) for number in range(1, plan.setting.hosts + 1)]
        self._clients = AsyncExitStack()
        self._client: HeadwayClient | None = None
        self._watchers: set[asyncio.Task[None]] = set()

    @property
    def procs(self) -> list[Proc]:
        """Every process, in a good order to start in."""
        return [self.nats, self.gateway, *self.schedulers, *self.hosts]

    @property
    def lease_seconds(self) -> float:
        """Of hosts."""
        return self.plan.setting.lease_seconds

    # Processes.

    async def start(self) -> None:
        """Start everything that does not run, and wait until all serves."""
        if not self.nats.is_alive:
            self.nats.start()
            await self.nats.ready()
        for proc in self.procs:
            if not proc.is_alive:
                proc.start()
        await all_ready(self.procs)

    async def revive(self) -> None:
        """Let frozen processes go on and start those that have ended, as a supervisor would; wait until all serve."""
        for proc in self.procs:
            proc.cont()
        await eventually(self._revived, timeout_seconds=60, interval_seconds=0.05)

    async def _revived(self) -> bool:
        if not self.nats.is_alive:
            self.nats.start()
            await self.nats.ready()
        for proc in self.procs:
            if not proc.is_alive:
                proc.start()
        return all(await asyncio.gather(*(proc.is_ready() for proc in self.procs)))

    def kill_everything(self) -> None:
        """As a power cut without the disk: kill -9 of every process at once."""
        for proc in self.procs:
            proc.kill9_tree()

    # Clients.

    def client(self) -> HeadwayClient:
        """With the local key, which may do everything; calls of it are not noted in the history."""
        assert self._client is not None, "inside the block only"
        return self._client

    @asynccontextmanager
    async def new_client(self) -> AsyncIterator[HeadwayClient]:
        """Another client, with a connection of its own."""
        async with HeadwayClient.connect(
            self.gateway.address, read_key_file(self.plan.key_path), project=PROJECT, home=self.gateway.home
        ) as client:
            yield client

    @asynccontextmanager
    async def store(self) -> AsyncIterator[NatsBus]:
        """A connection to nats-server itself, past the gateway."""
        async with connect(self.plan.nats_url, "test") as bus:
            yield bus

    async def submit(self, what: ToySpec | JobSpec, request_id: str | None = None) -> str:
        """Submit once, and note what came of it; returns the job's name. Raises RemoteError, noted too.

        Args:
            what: the toy's wishes, whose steps are then counted, or any spec.
            request_id: to repeat a submission; a new one when None.
        """
        wanted = request_id or self.plan.new_request_id()
        spec = self._counted(what, wanted).job_spec() if isinstance(what, ToySpec) else what
        call = Call("create", request_id=wanted)
        return (await self.history.record(call, self.client().jobs.create(spec, request_id=wanted))).name

    async def get(self, job: str) -> Job:
        """Read a job, and note what was seen."""
        return await self.history.record(Call("get", job), self.client().jobs.get(job))

    async def cancel(self, job: str) -> Job:
        """Cancel a job, and note what came of it."""
        return await self.history.record(Call("cancel", job), self.client().jobs.cancel(job))

    async def pause(self, job: str) -> Job:
        """Pause a job, and note what came of it."""
        return await self.history.record(Call("pause", job), self.client().jobs.pause(job))

    async def resume(self, job: str) -> Job:
        """Resume a job, and note what came of it."""
        return await self.history.record(Call("resume", job), self.client().jobs.resume(job))

    async def until(self, job: str, check: Callable[[Job], bool], *, timeout_seconds: float = END_LIMIT_SECONDS) -> Job:
        """Wait until a job is as wanted; a gateway that is away meanwhile is waited for."""
        newest = Job()

        async def look() -> Job | None:
            nonlocal newest
            with suppress(RemoteError):
                newest = await self.get(job)
                if check(newest):
                    return newest
            return None

        try:
            found = await eventually(look, timeout_seconds=timeout_seconds, interval_seconds=0.03)
        except AssertionError:
            raise AssertionError(f"not within {timeout_seconds} s:\n{newest}") from None
        assert found is not None
        return found

    async def ended(self, *jobs: str, timeout_seconds: float = END_LIMIT_SECONDS) -> Job:
        """Wait until all these jobs are over; returns the last of them."""
        found = [
            await self.until(job, lambda one: is_terminal(one.state), timeout_seconds=timeout_seconds) for job in jobs
        ]
        return found[-1]

    def watch(self, job: str) -> Watching:
        """Watch a job in the background until it ends, over restarts of the gateway."""
        watching = Watching(job)
        self.history.watches.append(watching)
        task = asyncio.create_task(self._follow(watching), name=f"watch {job}")
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)
        return watching

    async def _follow(self, watching: Watching) -> None:
        def count(error: RemoteError) -> None:
            watching.num_breaks += 1

        watch = self.client().jobs.watch(watching.job, patience=_WATCH_PATIENCE, on_break=count)
        async for message in watch:
            if (job := watching.note(message)) is not None:
                self.history.see(job)

    # The end.

    async def check(self, *, may_be_down: tuple[Proc, ...] = ()) -> None:
        """Everything serves, and the checker finds no fault in what was seen and in what is left.

        Args:
            may_be_down: processes that the test has left dead.
        """
        await all_ready([proc for proc in self.procs if proc not in may_be_down])
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=END_LIMIT_SECONDS)
        await self._knock()
        faults: list[str] = ["not looked yet"]

        async def look() -> bool:
            nonlocal faults
            faults = find_faults(self.history, await collect(self))
            return not faults

        # What is on its way, such as a stale attempt that has to be told, may take a heartbeat or two.
        with suppress(AssertionError):
            await eventually(look, timeout_seconds=3 * self.lease_seconds + 10, interval_seconds=0.2)
        assert not faults, "\n".join(faults)

    async def _knock(self) -> None:
        """Call with a key that nobody gave out: no log may show it (clause h)."""
        canary = make_key().text
        self.plan.secrets.append(canary)
        async with HeadwayClient.connect(self.gateway.address, canary, project=PROJECT) as stranger:
            with suppress(RemoteError):
                await stranger.jobs.get(new_job_id())

    def _counted(self, toy: ToySpec, request_id: str) -> ToySpec:
        if toy.steps_file:
            return toy
        self.plan.steps_dir.mkdir(exist_ok=True)
        return toy.model_copy(update={"steps_file": str(self.plan.steps_dir / request_id)})

    async def __aenter__(self) -> Self:
        self._client = await self._clients.enter_async_context(self.new_client())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._watchers):
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await self._clients.aclose()
        await self.close()

    async def close(self) -> None:
        """Kill what runs; fails when a process that was started by one of them is left (clause g)."""
        for proc in self.procs:
            proc.kill9()
        try:
            # The kernel and the pipes end them, within the second that F19 allows and some for a busy machine.
            await eventually(lambda: not processes_of(self.plan.mark), timeout_seconds=10, interval_seconds=0.1)
        finally:
            for process in processes_of(self.plan.mark):
                process.kill()


@asynccontextmanager
async def fault_cluster(
    folder: Path,
    *,
    schedulers: int = 1,
    hosts: int = 1,
    slots: int = 1,
    lease_seconds: float = 2.0,
    interval_steps: int = 1,
    links: bool = False,
    is_started: bool = True,
    host_environ: Mapping[str, str] | None = None,
    gateway_environ: Mapping[str, str] | None = None,
    scheduler_environ: Mapping[str, str] | None = None,
) -> AsyncIterator[FaultCluster]:
    """A cluster for the length of the block.

    Args:
        folder: an empty folder of the test's.
        schedulers: how many; with two or more, one leads.
        hosts: how many.
        slots: attempts at a time, of each host.
        lease_seconds: of hosts; at least 1.
        interval_steps: most steps between two checkpoints.
        links: put a proxy into every connection between two services.
        is_started: whether to start everything; else the test does, with `cluster.start()` or one by one.
        host_environ: further settings of hosts, such as HEADWAY_TRAINER_HOST__STOP_LIMIT_SECONDS.
        gateway_environ: of the gateway.
        scheduler_environ: of the schedulers.
    """
    setting = Setting(
        schedulers=schedulers,
        hosts=hosts,
        slots=slots,
        lease_seconds=lease_seconds,
        interval_steps=interval_steps,
        host_environ=host_environ or {},
        gateway_environ=gateway_environ or {},
        scheduler_environ=scheduler_environ or {},
    )
    plan = ClusterPlan(folder, setting)
    async with AsyncExitStack() as stack:
        made = (
            {name: await stack.enter_async_context(linked(target)) for name, target in plan.routes()} if links else {}
        )
        plan.route_through({name: link.address for name, link in made.items()})
        async with FaultCluster(plan, made) as cluster:
            if is_started:
                await cluster.start()
            yield cluster
