"""A real scheduler process on a real nats-server, with the hands of a gateway: for contract and fault tests."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from headway.contract import transitions
from headway.contract.states import is_terminal
from headway.contract.subjects import BUCKETS, EVENTS, HOSTS, JOBS, KEYS, SETTINGS, STREAMS
from headway.runtime.channel import open_channel
from headway.runtime.clock import SystemClock
from headway.runtime.keys import make_key
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_server import NatsServer, NatsServerOptions
from headway.testing.builders import a_record
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.testing.ports import free_port
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import ExecutionMode, JobSpec
from headway.v1.jobs_pb2 import Job, JobResult
from headway.v1.records_pb2 import HostRecord, JobRecord, KeyRecord
from headway.v1.system_service_pb2 import ExecutionConfig
from tests.health_checks import serving_status

LEASE_SECONDS = 1.5
_ROOT = Path(__file__).resolve().parents[2]
CLOCK = SystemClock()


class Deployment:
    """One nats-server, one scheduler, and a bus to play the gateway with."""

    def __init__(self, folder: Path, nats: NatsServer, bus: NatsBus, environ: dict[str, str]) -> None:
        self.nats = nats
        self.bus = bus
        self.records = bus.records(JOBS, JobRecord)
        self.address = f"127.0.0.1:{free_port()}"
        self.home = folder / "home"
        self.key = ""
        self._log = folder / "scheduler.log"
        self._environ = environ
        self._process: Process | None = None

    async def add_key(self, *scopes: str, projects: tuple[str, ...] = ("*",), host_id: str = "") -> str:
        key = make_key()
        record = KeyRecord(secret_sha256=key.sha256, scopes=scopes, projects=projects, host_id=host_id)
        await self.bus.records(KEYS, KeyRecord).create(key.key_id, record)
        return key.text

    async def start(self, *, is_ready: bool = True) -> None:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")},
            "HEADWAY_HOME": str(self.home),
            "HEADWAY_NATS_URL": self.nats.url,
            "HEADWAY_NATS_MONITOR_URL": self.nats.monitor_url,
            "HEADWAY_SCHEDULER__LISTEN": self.address,
            "HEADWAY_SCHEDULER__LEASE_SECONDS": str(LEASE_SECONDS),
            **self._environ,
        }
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "scheduler", env=environ, cwd=_ROOT, stdout=log, stderr=log
            )
        if is_ready:
            await eventually(lambda: self.run_file() == {"pid": self.pid, "address": self.address}, timeout_seconds=20)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def run_file(self) -> dict[str, object] | None:
        path = self.home / "run" / "scheduler.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.wait()

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def log(self) -> list[dict[str, object]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def health(self) -> int:
        async with open_channel(self.address) as channel:
            return await serving_status(channel, "headway.v1.SchedulerService")

    def host(self, host: Host | None = None, *, obeys: bool = True, redials: bool = True, key: str = "") -> FakeHost:
        return FakeHost(self.address, host, api_key=key or self.key, obeys=obeys, redials=redials)

    # What the gateway does.

    async def submit(self, spec: JobSpec | None = None) -> str:
        record = a_record(spec, now=CLOCK.now())
        job_id = record.job.name.rpartition("/")[2]
        await self.records.create(job_id, record)
        return job_id

    async def cancel(self, job_id: str) -> None:
        await self.records.change(
            job_id, lambda record: transitions.request_cancel(record, message="enough", now=CLOCK.now())
        )

    async def commit(self, job_id: str, attempt: int, host: str = "hosts/anton") -> None:
        result = JobResult(attempt=attempt)
        await self.records.change(
            job_id, lambda record: transitions.commit_result(record, host=host, result=result, now=CLOCK.now())
        )

    async def set_default_mode(self, mode: "ExecutionMode.ValueType") -> None:
        await self.bus.records(SETTINGS, ExecutionConfig).put("execution", ExecutionConfig(default_mode=mode))

    async def job(self, job_id: str) -> Job:
        return (await self.records.get(job_id)).value.job

    async def until(self, job_id: str, check: Callable[[Job], bool], *, timeout_seconds: float = 10.0) -> Job:
        async def look() -> Job | None:
            job = await self.job(job_id)
            return job if check(job) else None

        found = await eventually(look, timeout_seconds=timeout_seconds)
        assert found is not None
        return found

    async def until_over(self, job_id: str, *, timeout_seconds: float = 10.0) -> Job:
        return await self.until(job_id, lambda job: is_terminal(job.state), timeout_seconds=timeout_seconds)

    async def events(self) -> list[tuple[str, str]]:
        """Every event as (what, message id), in the order of the stream."""
        found: list[tuple[str, str]] = []
        async with self.bus.feed(EVENTS) as feed:
            while not feed.is_caught_up:
                message = await anext(aiter(feed))
                found.append((message.subject.split(".")[2], message.headers["Nats-Msg-Id"]))
        return found

    async def events_of(self, job_id: str) -> list[tuple[str, int]]:
        """The events of one job as (what, transition), in the order of the stream."""
        ids = [(what, message_id.split(":")) for what, message_id in await self.events()]
        return [(what, int(number)) for what, (owner, number, *_) in ids if owner == job_id]

    async def until_events(self, job_id: str, count: int) -> list[tuple[str, int]]:
        """Wait until so many events of one job are out; all of them."""

        async def look() -> list[tuple[str, int]] | None:
            found = await self.events_of(job_id)
            return found if len(found) >= count else None

        # After a kill, what the dead process had been given comes again only after its ack_wait.
        found = await eventually(look, timeout_seconds=15)
        assert found is not None
        return found

    async def host_record(self, host_id: str) -> Host | None:
        """What the bucket `hosts` says of a host."""
        stored = await self.bus.records(HOSTS, HostRecord).find(host_id)
        return stored.value.host if stored is not None else None


@asynccontextmanager
async def deployed(folder: Path, *, is_started: bool = True, **environ: str) -> AsyncIterator[Deployment]:
    """A deployment for the length of the block."""
    options = NatsServerOptions(
        directory=folder / "nats",
        port=free_port(),
        monitor_port=free_port(),
        # It is started again in a process that speaks gRPC, where only a plain fork-and-exec is safe.
        dies_with_parent=False,
    )
    async with NatsServer(options) as nats, connect(nats.url, "test") as bus:
        await bus.provision(BUCKETS, STREAMS)
        deployment = Deployment(folder, nats, bus, environ)
        deployment.key = await deployment.add_key("host", "read")
        try:
            if is_started:
                await deployment.start()
            yield deployment
        finally:
            if deployment.is_running:
                deployment.signal(signal.SIGCONT)
                await deployment.kill()
