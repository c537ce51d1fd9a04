"""The half of the gateway that keeps bytes, in this process, behind a real gRPC server on a free port."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor

from gateway.blob_service import BlobService
from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.blobs.uploads import Uploads
from gateway.bucket_index import BucketIndex
from gateway.commit import Commits
from gateway.data_root import DataRoot
from gateway.dataset_service import DatasetService
from gateway.datasets import DatasetSources, DatasetStore
from gateway.intake import Intake
from gateway.job_logs import JobLogs
from gateway.model_service import ModelService
from gateway.models import ModelStore
from gateway.probing import Prober
from gateway.progress_outlet import ProgressOutlet
from gateway.registrar import Registrar
from gateway.registrations import Registrations
from gateway.result_service import ResultService
from gateway.table_reader import TableReader
from gateway.telemetry import Telemetry
from headway.contract.access import METHOD_SCOPES
from headway.contract.subjects import BUCKETS, DATASETS, JOBS, MODELS, STREAMS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.principal import Principal
from headway.runtime.records import Records
from headway.runtime.redaction import Redactor
from headway.testing.memory_bus import MemoryBus
from headway.v1 import blobs_service_pb2, datasets_service_pb2, models_service_pb2, results_service_pb2
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub, add_BlobServiceServicer_to_server
from headway.v1.datasets_service_pb2_grpc import DatasetServiceStub, add_DatasetServiceServicer_to_server
from headway.v1.models_service_pb2_grpc import ModelServiceStub, add_ModelServiceServicer_to_server
from headway.v1.records_pb2 import DatasetRecord, JobRecord, ModelRecord
from headway.v1.results_service_pb2_grpc import ResultServiceStub, add_ResultServiceServicer_to_server

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub
    from headway.v1.datasets_service_pb2_grpc import DatasetServiceAsyncStub
    from headway.v1.models_service_pb2_grpc import ModelServiceAsyncStub
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

ANYBODY = Principal(key_id="k1", user_id="ada", scopes=frozenset({"admin"}), projects=frozenset({"*"}))
PARENT = "projects/demo"


@dataclass
class Keys:
    """An authenticator for tests: a key is the name of a principal."""

    principals: dict[str, Principal] = field(default_factory=dict)

    async def authenticate(self, key: str | None) -> Principal:
        return self.principals.get(key or "", ANYBODY)


class Tasks:
    """A spawner: what it starts is waited for at the end."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        return self._group.create_task(work, name=name)


@dataclass
class BytesGateway:
    """What a test may touch."""

    address: str
    channel: grpc.aio.Channel
    keys: Keys
    bus: Bus
    threads: DiskThreads
    blobs: BlobStore
    uploads: Uploads
    datasets: DatasetStore
    reader: TableReader
    intake: Intake
    model_store: ModelStore
    registrar: Registrar
    commits: Commits
    jobs: Records[JobRecord]
    models: Records[ModelRecord]
    blob: "BlobServiceAsyncStub"
    dataset: "DatasetServiceAsyncStub"
    result: "ResultServiceAsyncStub"
    model: "ModelServiceAsyncStub"
    home: Path
    data: Path
    background: dict[str, asyncio.Task[None]]


@asynccontextmanager
async def bytes_gateway(
    home: Path, *, bus: Bus | None = None, settings: BlobSettings | None = None, clock: Clock | None = None
) -> AsyncIterator[BytesGateway]:
    """Serve for the length of the block; the same home again continues with its blobs."""
    clock = clock or SystemClock()
    bus = bus or MemoryBus(clock)
    settings = settings or BlobSettings()
    await bus.provision(BUCKETS, STREAMS)
    data = home / "data"
    data.mkdir(parents=True, exist_ok=True)
    keys = Keys()
    async with DiskThreads() as threads, asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        blobs = BlobStore(home / "gateway" / "blobs", settings)
        await threads.run(blobs.prepare)
        uploads = Uploads(blobs, threads, clock, settings)
        reader = TableReader(blobs, threads, Prober())
        intake = Intake(blobs, threads, tasks)
        sources = DatasetSources(blobs, DataRoot(data), intake, reader, threads)
        datasets_index = BucketIndex(bus, DATASETS, DatasetRecord, clock)
        datasets = DatasetStore(bus.records(DATASETS, DatasetRecord), datasets_index, sources, clock)
        models_index = BucketIndex(bus, MODELS, ModelRecord, clock)
        model_records = bus.records(MODELS, ModelRecord)
        registrar = Registrar(bus, model_records, models_index, clock)
        jobs = bus.records(JOBS, JobRecord)
        registrations = Registrations(registrar, tasks)
        commits = Commits(jobs, blobs, registrations, threads, clock)
        logs = JobLogs(home / "gateway" / "logs")
        telemetry = Telemetry(jobs, ProgressOutlet(bus, clock, tasks), logs, clock, Redactor().clean)
        models = ModelStore(model_records, models_index, blobs, threads, registrations)
        server = GrpcServer("127.0.0.1:0", authenticator=keys, scopes=METHOD_SCOPES)
        server.add(
            add_BlobServiceServicer_to_server,
            BlobService(blobs, uploads, threads),
            _service(blobs_service_pb2.DESCRIPTOR, "BlobService"),
        )
        server.add(
            add_DatasetServiceServicer_to_server,
            DatasetService(datasets, reader),
            _service(datasets_service_pb2.DESCRIPTOR, "DatasetService"),
        )
        server.add(
            add_ResultServiceServicer_to_server,
            ResultService(commits, telemetry),
            _service(results_service_pb2.DESCRIPTOR, "ResultService"),
        )
        server.add(
            add_ModelServiceServicer_to_server,
            ModelService(models, blobs, threads),
            _service(models_service_pb2.DESCRIPTOR, "ModelService"),
        )
        background = {
            name: group.create_task(run(), name=name)
            for name, run in (
                ("datasets index", datasets_index.run),
                ("models index", models_index.run),
                ("registrar", registrar.run),
            )
        }
        async with server, grpc.aio.insecure_channel(server.address) as channel:
            yield BytesGateway(
                address=server.address,
                channel=channel,
                keys=keys,
                bus=bus,
                threads=threads,
                blobs=blobs,
                uploads=uploads,
                datasets=datasets,
                reader=reader,
                intake=intake,
                model_store=models,
                registrar=registrar,
                commits=commits,
                jobs=jobs,
                models=model_records,
                blob=BlobServiceStub(channel),
                dataset=DatasetServiceStub(channel),
                result=ResultServiceStub(channel),
                model=ModelServiceStub(channel),
                home=home,
                data=data,
                background=background,
            )
        for task in background.values():
            task.cancel()
        await logs.aclose()


def _service(file: FileDescriptor, name: str) -> ServiceDescriptor:
    return file.services_by_name[name]
