"""The half of the gateway that keeps bytes, in this process, behind a real gRPC server on a free port."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
from gateway.dataset_tables import DatasetTables
from gateway.datasets import DatasetSources, DatasetStore
from gateway.find_run import RunFinder
from gateway.intake import Intake
from gateway.job_logs import JobLogs
from gateway.log_outlet import LogOutlet
from gateway.model_service import ModelService
from gateway.models import ModelStore
from gateway.predict import Predictor
from gateway.predict_endings import Endings
from gateway.predict_models import AnsweringModels
from gateway.probing import Prober
from gateway.progress_outlet import ProgressOutlet
from gateway.recent_runs import RecentRuns
from gateway.registrar import Registrar
from gateway.registrations import Registrations
from gateway.result_service import ResultService
from gateway.table_reader import TableReader
from gateway.telemetry import Telemetry
from headway.contract.access import METHOD_SCOPES
from headway.contract.host_facts import HostFacts
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


class NoHosts:
    """Nobody is up: whoever asks a model is told so."""

    def live(self) -> Sequence[HostFacts]:
        return []


class EndlessRoom:
    """There is always room."""

    def check(self) -> None:
        return


@dataclass
class Parts:
    """What the servicers are made of."""

    bus: Bus
    threads: DiskThreads
    blobs: BlobStore
    uploads: Uploads
    reader: TableReader
    intake: Intake
    datasets: DatasetStore
    registrar: Registrar
    commits: Commits
    telemetry: Telemetry
    model_store: ModelStore
    predictor: Predictor
    jobs: Records[JobRecord]
    models: Records[ModelRecord]
    logs: JobLogs
    loops: dict[str, Callable[[], Coroutine[object, object, None]]]


@dataclass
class BytesGateway(Parts):
    """What a test may touch."""

    home: Path
    address: str
    keys: Keys
    blob: "BlobServiceAsyncStub"
    dataset: "DatasetServiceAsyncStub"
    result: "ResultServiceAsyncStub"
    model: "ModelServiceAsyncStub"
    background: dict[str, asyncio.Task[None]]

    @property
    def data(self) -> Path:
        """The data root."""
        return self.home / "data"


@asynccontextmanager
async def bytes_gateway(
    home: Path, *, bus: Bus | None = None, settings: BlobSettings | None = None, clock: Clock | None = None
) -> AsyncIterator[BytesGateway]:
    """Serve for the length of the block; the same home again continues with its blobs."""
    clock = clock or SystemClock()
    bus = bus or MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    (home / "data").mkdir(parents=True, exist_ok=True)
    keys = Keys()
    async with DiskThreads() as threads, asyncio.TaskGroup() as group:
        parts = _parts(home, bus, clock, settings or BlobSettings(), threads, Tasks(group))
        await threads.run(parts.blobs.prepare)
        background = {name: group.create_task(run(), name=name) for name, run in parts.loops.items()}
        async with _server(parts, keys) as server, grpc.aio.insecure_channel(server.address) as channel:
            yield BytesGateway(
                **vars(parts),
                home=home,
                address=server.address,
                keys=keys,
                blob=BlobServiceStub(channel),
                dataset=DatasetServiceStub(channel),
                result=ResultServiceStub(channel),
                model=ModelServiceStub(channel),
                background=background,
            )
        for task in background.values():
            task.cancel()
        await parts.logs.aclose()


def _parts(home: Path, bus: Bus, clock: Clock, settings: BlobSettings, threads: DiskThreads, tasks: Tasks) -> Parts:
    blobs = BlobStore(home / "gateway" / "blobs", settings)
    reader, intake = TableReader(blobs, threads, Prober()), Intake(blobs, threads, tasks)
    sources = DatasetSources(blobs, DataRoot(home / "data"), intake, reader, threads)
    datasets_index = BucketIndex(bus, DATASETS, DatasetRecord, clock)
    models_index = BucketIndex(bus, MODELS, ModelRecord, clock)
    jobs, models = bus.records(JOBS, JobRecord), bus.records(MODELS, ModelRecord)
    registrar = Registrar(bus, jobs, models, models_index, clock, clean=Redactor().clean)
    registrations = Registrations(registrar, tasks)
    logs = JobLogs(home / "gateway" / "logs")
    datasets = DatasetStore(bus.records(DATASETS, DatasetRecord), datasets_index, sources, clock)
    model_store = ModelStore(models, models_index, blobs, threads, registrations)
    predictor = Predictor(
        models=AnsweringModels(model_store, RunFinder(jobs, RecentRuns(), clock)),
        tables=DatasetTables(datasets, reader),
        records=jobs,
        endings=Endings(),
        blobs=blobs,
        threads=threads,
        hosts=NoHosts(),
        room=EndlessRoom(),
        spawner=tasks,
        clock=clock,
    )
    return Parts(
        bus=bus,
        threads=threads,
        blobs=blobs,
        uploads=Uploads(blobs, threads, clock, settings),
        reader=reader,
        intake=intake,
        datasets=datasets,
        registrar=registrar,
        commits=Commits(jobs, blobs, registrations, threads, clock),
        telemetry=Telemetry(
            jobs, ProgressOutlet(bus, clock, tasks), logs, clock, Redactor().clean, log_outlet=LogOutlet(bus, tasks)
        ),
        model_store=model_store,
        predictor=predictor,
        jobs=jobs,
        models=models,
        logs=logs,
        loops={"datasets index": datasets_index.run, "models index": models_index.run, "registrar": registrar.run},
    )


def _server(parts: Parts, keys: Keys) -> GrpcServer:
    server = GrpcServer("127.0.0.1:0", authenticator=keys, scopes=METHOD_SCOPES)
    blobs = BlobService(parts.blobs, parts.uploads, parts.threads)
    server.add(add_BlobServiceServicer_to_server, blobs, _service(blobs_service_pb2.DESCRIPTOR, "BlobService"))
    datasets = DatasetService(parts.datasets, parts.reader)
    described = _service(datasets_service_pb2.DESCRIPTOR, "DatasetService")
    server.add(add_DatasetServiceServicer_to_server, datasets, described)
    results = ResultService(parts.commits, parts.telemetry)
    described = _service(results_service_pb2.DESCRIPTOR, "ResultService")
    server.add(add_ResultServiceServicer_to_server, results, described)
    models = ModelService(parts.model_store, parts.predictor, parts.blobs, parts.threads)
    server.add(add_ModelServiceServicer_to_server, models, _service(models_service_pb2.DESCRIPTOR, "ModelService"))
    return server


def _service(file: FileDescriptor, name: str) -> ServiceDescriptor:
    return file.services_by_name[name]
