"""The whole gateway in this process, behind gRPC on a free port, on a real nats-server."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from pydantic import SecretStr

from gateway.settings import GatewaySection, GatewaySettings
from gateway.wiring import serve
from headway.contract.host_facts import HostFacts
from headway.contract.kinds import TABULAR_KINDS
from headway.contract.subjects import HOSTS, JOBS, KEYS
from headway.contract.times import timestamp
from headway.contract.transitions import claim, commit_checkpoint, confirm_cancelled
from headway.runtime.channel import open_channel
from headway.runtime.keys import make_key
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.records import Records
from headway.runtime.remote_error import RemoteError, answer
from headway.runtime.service import Service
from headway.testing.eventually import eventually
from headway.v1.hosts_pb2 import HOST_STATE_UP, Device, Host, RecipeReport
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import Checkpoint, Job
from headway.v1.jobs_service_pb2 import CreateJobRequest, GetJobRequest
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from headway.v1.records_pb2 import HostRecord, JobRecord, KeyRecord
from tests.proto_fields import with_fields

if TYPE_CHECKING:
    from headway.v1.jobs_service_pb2_grpc import JobServiceAsyncStub

PARENT = "projects/demo"
IRIS = "sepal,petal,species\n" + "".join(f"{row}.5,{row * 2}.25,{'abc'[row % 3]}\n" for row in range(60))


@dataclass
class Gateway:
    """What a test may touch.

    Attributes:
        home: its home folder.
        address: where it listens.
        key: the local key, with every right.
        channel: with that key.
        jobs: a stub on the channel.
        nats: where it keeps its records.
        bus: the test's own connection to the same store.
        service: stops it.
    """

    home: Path
    address: str
    key: str
    channel: grpc.aio.Channel
    jobs: "JobServiceAsyncStub"
    nats: NatsServer
    bus: NatsBus
    service: Service
    records: Records[JobRecord] = field(init=False)

    def __post_init__(self) -> None:
        self.records = self.bus.records(JOBS, JobRecord)

    async def change(self, name: str, decide: Callable[[JobRecord], JobRecord | None]) -> JobRecord:
        """Change a job as the scheduler would."""
        return (await self.records.change(name.rpartition("/")[2], decide)).value

    async def add_host(self, host_id: str = "local", *, torch: str = "2.13.0", gpu: str = "") -> None:
        """Let a trainer host be up."""
        host = Host(
            name=f"hosts/{host_id}",
            boot_id="boot",
            mode=EXECUTION_MODE_LOCAL,
            num_slots=1,
            num_cpu_cores=2,
            memory_mib=4096,
            torch_version=torch,
            recipes=[RecipeReport(kind=kind, available=True) for kind in sorted(TABULAR_KINDS)],
            devices=[Device(id="cuda:0", display_name=gpu)] if gpu else [],
            state=HOST_STATE_UP,
        )
        await self.bus.records(HOSTS, HostRecord).put(host_id, HostRecord(host=host))

    async def remove_host(self, host_id: str = "local") -> None:
        """Let a trainer host be gone."""
        await self.bus.records(HOSTS, HostRecord).delete(host_id)

    async def add_key(
        self, *scopes: str, projects: tuple[str, ...] = ("demo",), expired: bool = False, revoked: bool = False
    ) -> str:
        """A key with these rights."""
        key = make_key()
        record = KeyRecord(secret_sha256=key.sha256, scopes=scopes, projects=projects, user_id="eve")
        past = timestamp(datetime.now(UTC) - timedelta(days=1))
        if expired:
            record.expire_time.CopyFrom(past)
        if revoked:
            record.revoke_time.CopyFrom(past)
        await self.bus.records(KEYS, KeyRecord).put(key.key_id, record)
        return key.text

    def opened(self, key: str | None) -> grpc.aio.Channel:
        """A channel with another key."""
        return open_channel(self.address, api_key=key)


def a_spec(**changes: object) -> JobSpec:
    """A spec that is admitted."""
    spec = TabularTrainSpec(data_path="iris.csv", target_column="species")
    return JobSpec(tabular_train=with_fields(spec, changes))


def a_request(spec: JobSpec | None = None, **changes: object) -> CreateJobRequest:
    """A CreateJob that is admitted."""
    return with_fields(CreateJobRequest(parent=PARENT, job=Job(spec=spec or a_spec())), changes)


@asynccontextmanager
async def running_gateway(home: Path, nats: NatsServer, bus: NatsBus, **section: object) -> AsyncIterator[Gateway]:
    """A gateway for the length of the block; the same home again continues it.

    Args:
        home: its home folder; `data/iris.csv` is put below it.
        nats: the server.
        bus: the test's own connection.
        section: further settings of the section [gateway].
    """
    (home / "data").mkdir(parents=True, exist_ok=True)
    if not (home / "data" / "iris.csv").exists():
        (home / "data" / "iris.csv").write_text(IRIS)
    chosen = GatewaySection.model_validate({"listen": "127.0.0.1:0", "scheduler_address": "127.0.0.1:1", **section})
    settings = GatewaySettings(
        home=home, nats_url=SecretStr(nats.url), nats_monitor_url=nats.monitor_url, gateway=chosen
    )
    async with Service("gateway") as service:
        serving = asyncio.ensure_future(serve(service, settings))
        try:
            address = await _address(home / "run" / "gateway.json", serving)
            key = (home / "keys" / "local.key").read_text().strip()
            async with open_channel(address, api_key=key) as channel:
                yield Gateway(home, address, key, channel, JobServiceStub(channel), nats, bus, service)
        finally:
            service.stop()
            await serving


async def _address(run_file: Path, serving: "asyncio.Task[int]") -> str:
    def announced() -> bool:
        if serving.done():
            serving.result()
        return run_file.exists()

    await eventually(announced)
    return str(json.loads(_read(run_file))["address"])


def _read(path: Path) -> str:
    return path.read_text()


HOST = HostFacts(
    name="hosts/local",
    mode=EXECUTION_MODE_LOCAL,
    num_slots=1,
    num_cpu_cores=2,
    memory_mib=4096,
    gpu_names=(),
    kinds=frozenset({"tabular_train"}),
    has_torch=True,
    draining=False,
)


async def create(gateway: Gateway, spec: JobSpec | None = None, **changes: object) -> Job:
    return await answer(gateway.jobs.CreateJob(a_request(spec, **changes)))


async def refused(call: Awaitable[object]) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await answer(call)
    return caught.value


async def get(gateway: Gateway, job: Job) -> Job:
    return await answer(gateway.jobs.GetJob(GetJobRequest(name=job.name)))


def claimed(record: JobRecord) -> JobRecord:
    return claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=_time_of(record))


def checkpointed(step: int) -> Callable[[JobRecord], JobRecord]:
    def change(record: JobRecord) -> JobRecord:
        checkpoint = Checkpoint(attempt=record.job.attempt, step=step)
        return commit_checkpoint(record, host="hosts/local", checkpoint=checkpoint, now=_time_of(record))

    return change


def stopped(record: JobRecord) -> JobRecord:
    return confirm_cancelled(record, attempt=record.job.attempt, now=_time_of(record))


def _time_of(record: JobRecord) -> datetime:
    return record.job.update_time.ToDatetime(tzinfo=UTC)
