"""Builds the gateway: the only file of it that constructs."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor

from gateway.blob_collector import BlobCollector
from gateway.blob_service import BlobService
from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.blobs.uploads import Uploads
from gateway.cached_tables import CachedTables
from gateway.commit import Commits
from gateway.data_root import DataRoot
from gateway.dataset_service import DatasetService
from gateway.dataset_tables import DatasetTables
from gateway.datasets import DatasetSources, DatasetStore
from gateway.enrolment import Enrolment
from gateway.execution_config import ExecutionConfigs
from gateway.explain import Explainer
from gateway.find_run import RunFinder
from gateway.foreign_bundles import ForeignBundles
from gateway.get_job import JobReader
from gateway.hosts_view import HostsView
from gateway.intake import Intake
from gateway.job_feed import JobFeed
from gateway.job_logs import JobLogs
from gateway.job_service import JobParts, JobService
from gateway.job_view import JobViews
from gateway.list_jobs import JobLister
from gateway.local_key import admit_local_key, ensure_local_key, own_key
from gateway.log_outlet import LogOutlet
from gateway.model_service import ModelService
from gateway.models import ModelStore
from gateway.noted_records import NotedRecords
from gateway.predict import Predictor
from gateway.predict_endings import Endings
from gateway.predict_models import AnsweringModels
from gateway.predict_sweep import PredictionSweep
from gateway.probing import Prober
from gateway.progress_feed import ProgressFeed
from gateway.progress_outlet import ProgressOutlet
from gateway.projection.view import Projection
from gateway.queue_depth import QueueDepth
from gateway.recent_runs import RecentRuns
from gateway.registrar import Registrar
from gateway.registrations import Registrations
from gateway.result_service import ResultService
from gateway.room import Room
from gateway.scheduler_client import SCHEDULER_SERVICE, SchedulerClient
from gateway.settings import GatewaySettings
from gateway.steering import Steering
from gateway.store_access import StoreAccess, open_store
from gateway.store_health import tell_health
from gateway.store_lock import refuse_unfinished_restore, store_lock
from gateway.submission_world import SubmissionWorld
from gateway.submit import Submitter
from gateway.system_service import SystemService
from gateway.table_reader import TableReader
from gateway.tail_logs import LogTails
from gateway.teachers import TeacherStore
from gateway.telemetry import Telemetry
from gateway.watch_hub import WatchHub
from gateway.watch_job import Watches, WatchTimes
from headway.contract.access import METHOD_SCOPES
from headway.contract.kinds import TABULAR_KINDS
from headway.contract.limits import PREDICT_DEADLINE_MAX, RECENT_RUN_TTL, RECENT_RUNS_MAX
from headway.contract.modes import parse_mode
from headway.contract.subjects import BUCKETS, DATASETS, JOBS, KEYS, MODELS, SETTINGS, STREAMS
from headway.runtime.bus import Bus
from headway.runtime.channel import ChannelOptions
from headway.runtime.durability import check_durable
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.key_authenticator import KeyAuthenticator
from headway.runtime.leader_finder import leader_finder
from headway.runtime.nats_bus import connect
from headway.runtime.redaction import Redactor
from headway.runtime.run_file import announced
from headway.runtime.service import Service
from headway.v1 import (
    blobs_service_pb2,
    datasets_service_pb2,
    jobs_service_pb2,
    models_service_pb2,
    results_service_pb2,
    system_service_pb2,
)
from headway.v1.blobs_service_pb2_grpc import add_BlobServiceServicer_to_server
from headway.v1.datasets_service_pb2_grpc import add_DatasetServiceServicer_to_server
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO
from headway.v1.jobs_service_pb2_grpc import add_JobServiceServicer_to_server
from headway.v1.models_service_pb2_grpc import add_ModelServiceServicer_to_server
from headway.v1.records_pb2 import DatasetRecord, KeyRecord, ModelRecord
from headway.v1.results_service_pb2_grpc import add_ResultServiceServicer_to_server
from headway.v1.system_service_pb2 import ExecutionConfig
from headway.v1.system_service_pb2_grpc import add_SystemServiceServicer_to_server

_Servicer = TypeVar("_Servicer")


async def run_gateway(settings: GatewaySettings) -> int:
    """Run the gateway until it is told to stop; returns its exit code."""
    async with Service("gateway") as service:
        return await serve(service, settings)


async def serve(service: Service, settings: GatewaySettings) -> int:
    """Build everything, then serve until the service is told to stop; returns the exit code."""
    if settings.nats_monitor_url:
        await check_durable(settings.nats_monitor_url)
    await service.enter(store_lock(settings.home / "gateway"))
    refuse_unfinished_restore(settings.home / "gateway")
    bus = await service.enter(connect(settings.nats_url.get_secret_value(), "gateway", clock=service.clock))
    service.fatal_when(bus.closed, "the connection to nats-server is closed for good")
    await bus.provision(BUCKETS, STREAMS)
    store = await open_store(bus, settings.home / "gateway", service.clock)
    await service.enter(aclosing(store.projection))
    server = await build_server(service, settings, bus, store)
    await service.enter(server)
    await service.enter(announced(settings.home, "gateway", server.address))
    return await service.run()


async def build_server(service: Service, settings: GatewaySettings, bus: Bus, store: StoreAccess) -> GrpcServer:
    """The server with every service of the gateway, and the loops behind them."""
    keys = store.records(KEYS, KeyRecord)
    local_key = ensure_local_key(settings.home)
    if not store.watch.is_lost:
        await admit_local_key(keys, local_key, service.clock)
    server = GrpcServer(
        settings.gateway.listen,
        authenticator=KeyAuthenticator(keys, service.clock),
        scopes=METHOD_SCOPES,
        options=ServerOptions(
            max_concurrent_calls=settings.gateway.max_concurrent_calls,
            listening_methods=("/headway.v1.JobService/WatchJob", "/headway.v1.JobService/TailLogs"),
            patient_methods={"/headway.v1.ModelService/Predict": PREDICT_DEADLINE_MAX.total_seconds()},
            certificate_file=settings.certificate_file,
            key_file=settings.key_file,
        ),
    )
    views = await _views(service, settings, bus, store)
    parts = _Parts(server, service, settings, bus, store)
    stock = await _stock(parts)
    tables = _add_datasets(parts, stock)
    models = _add_models(parts, stock, views)
    _add_system(parts, views)
    schedulers = leader_finder(
        settings.gateway.scheduler_address.each,
        SCHEDULER_SERVICE,
        api_key=own_key(local_key),
        options=ChannelOptions(ca_file=settings.ca_file),
    )
    scheduler = SchedulerClient(await service.enter(schedulers))
    foreign = ForeignBundles(stock.data_root, stock.intake, stock.blobs, stock.threads)
    runs = RunFinder(views.jobs, views.runs, service.clock)
    teachers = TeacherStore(runs, models, foreign, stock.blobs, stock.threads)
    world = SubmissionWorld(tables, teachers, views.hosts, views.execution)
    room = await _room(parts)
    _add_predictions(parts, stock, views, models=models, runs=runs, tables=tables, room=room)
    jobs = _job_service(parts, views, scheduler, world, room)
    parts.add(add_JobServiceServicer_to_server, jobs, jobs_service_pb2.DESCRIPTOR)
    service.loop("store health", lambda: tell_health(server, store.watch))
    service.on_drain("watches", views.hub.close)
    service.on_drain("calls", server.drain)
    return server


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every group of services is built from."""

    server: GrpcServer
    service: Service
    settings: GatewaySettings
    bus: Bus
    store: StoreAccess

    def add(self, add: Callable[[_Servicer, grpc.aio.Server], None], servicer: _Servicer, file: FileDescriptor) -> None:
        """Add the one service of a proto file."""
        (descriptor,) = file.services_by_name.values()
        self.server.add(add, servicer, descriptor)


@dataclass(frozen=True, slots=True)
class _Stock:
    """The bytes: what holds them and works on them."""

    blobs: BlobStore
    threads: DiskThreads
    data_root: DataRoot
    intake: Intake
    collector: BlobCollector


async def _stock(parts: _Parts) -> _Stock:
    """The blob store and its service."""
    settings = parts.settings
    threads = await parts.service.enter(DiskThreads())
    blobs = BlobStore(settings.home / "gateway" / "blobs", settings.gateway.blobs)
    await threads.run(blobs.prepare)
    uploads = Uploads(blobs, threads, parts.service.clock, settings.gateway.blobs)
    parts.add(add_BlobServiceServicer_to_server, BlobService(blobs, uploads, threads), blobs_service_pb2.DESCRIPTOR)
    parts.service.loop("blob sweep", uploads.sweep_loop)
    collector = BlobCollector(
        parts.bus, blobs, threads, parts.service.clock, settings.gateway.blobs, parts.store.watch.check_now
    )
    parts.service.loop("unused blobs", collector.run)
    return _Stock(blobs, threads, DataRoot(settings.data_path), Intake(blobs, threads, parts.service), collector)


def _add_datasets(parts: _Parts, stock: _Stock) -> CachedTables:
    """The datasets and their service; returns them as submissions see them."""
    clock, blobs, threads = parts.service.clock, stock.blobs, stock.threads
    reader = TableReader(blobs, threads, Prober())
    sources = DatasetSources(blobs, stock.data_root, stock.intake, reader, threads)
    index = parts.store.index(DATASETS, DatasetRecord)
    datasets = DatasetStore(parts.store.records(DATASETS, DatasetRecord), index, sources, clock)
    parts.add(add_DatasetServiceServicer_to_server, DatasetService(datasets, reader), datasets_service_pb2.DESCRIPTOR)
    parts.service.loop("datasets index", index.run)
    return CachedTables(DatasetTables(datasets, reader), index)


def _add_models(parts: _Parts, stock: _Stock, views: "_Views") -> ModelStore:
    """Results, the models that come of them, and what hosts tell on the way."""
    service, settings, bus = parts.service, parts.settings, parts.bus
    records, index = parts.store.records(MODELS, ModelRecord), parts.store.index(MODELS, ModelRecord)
    redactor = Redactor({"<home>": settings.home, "<data>": settings.data_path})
    registrar = Registrar(bus, views.jobs, records, index, service.clock, clean=redactor.clean)
    registrations = Registrations(registrar, service)
    commits = Commits(views.jobs, stock.blobs, registrations, stock.threads, service.clock)
    outlet = ProgressOutlet(bus, service.clock, service)
    log_outlet = LogOutlet(bus, service)
    telemetry = Telemetry(views.jobs, outlet, views.logs, service.clock, redactor.clean, log_outlet=log_outlet)
    parts.add(add_ResultServiceServicer_to_server, ResultService(commits, telemetry), results_service_pb2.DESCRIPTOR)
    models = ModelStore(records, index, stock.blobs, stock.threads, registrations)
    service.loop("models index", index.run)
    service.loop("registrar", registrar.run)
    return models


def _add_predictions(
    parts: _Parts,
    stock: _Stock,
    views: "_Views",
    *,
    models: ModelStore,
    runs: RunFinder,
    tables: CachedTables,
    room: Room,
) -> None:
    """The service of models, which can also be asked; and what clears away after it."""
    service = parts.service
    predictor = Predictor(
        models=AnsweringModels(models, runs),
        tables=tables,
        records=views.jobs,
        endings=views.endings,
        blobs=stock.blobs,
        threads=stock.threads,
        hosts=views.hosts,
        room=room,
        spawner=service,
        clock=service.clock,
    )
    model_service = ModelService(models, predictor, stock.blobs, stock.threads)
    parts.add(add_ModelServiceServicer_to_server, model_service, models_service_pb2.DESCRIPTOR)
    sweep = PredictionSweep(views.projection, views.jobs, views.logs, stock.collector, service.clock)
    service.loop("predictions", sweep.run)


def _add_system(parts: _Parts, views: "_Views") -> None:
    """The platform's own settings and hosts."""
    enrolment = Enrolment(
        parts.store.records(KEYS, KeyRecord),
        parts.service.clock,
        gateway_address=parts.settings.gateway.listen,
        scheduler_address=parts.settings.gateway.scheduler_address,
    )
    system = SystemService(views.execution, views.hosts, enrolment)
    parts.add(add_SystemServiceServicer_to_server, system, system_service_pb2.DESCRIPTOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Views:
    """What the gateway keeps in memory and on disk of the buckets."""

    jobs: NotedRecords
    projection: Projection
    queue: QueueDepth
    hub: WatchHub
    runs: RecentRuns
    endings: Endings
    hosts: HostsView
    execution: ExecutionConfigs
    logs: JobLogs


async def _views(service: Service, settings: GatewaySettings, bus: Bus, store: StoreAccess) -> _Views:
    folder, bounds = settings.home / "gateway", settings.gateway.jobs
    projection, guard = store.projection, store.watch
    start_mode = parse_mode(settings.training_default_mode) or EXECUTION_MODE_AUTO
    views = _Views(
        jobs=store.jobs,
        projection=projection,
        queue=QueueDepth(per_project=bounds.queued_per_project, per_key=bounds.queued_per_key),
        hub=WatchHub(per_key=bounds.watches_per_key),
        runs=RecentRuns(),
        endings=Endings(),
        hosts=HostsView(bus),
        execution=ExecutionConfigs(
            bus, start_mode, service.clock, records=store.records(SETTINGS, ExecutionConfig), guard=guard
        ),
        logs=await service.enter(aclosing(JobLogs(folder / "logs"))),
    )
    # Lists show what was acknowledged before this process began, also in the moment before its loops run.
    if not guard.is_lost:
        projection.note_write((await bus.stream_state(JOBS)).last_sequence)
    # Admission decides on these from the first call on.
    await views.hosts.prime()
    await views.execution.prime()
    # The feed goes on where the rows end: what was stored before is read from them.
    _, followed_until = await projection.position()
    since = service.clock.now() - RECENT_RUN_TTL
    views.runs.load(await projection.newest_results(TABULAR_KINDS, since, RECENT_RUNS_MAX), followed_until)
    service.loop("jobs", JobFeed(bus, projection, views.queue, [views.hub, views.runs, views.endings], guard).run)
    for name, loop in store.loops().items():
        service.loop(name, loop)
    service.loop("progress", ProgressFeed(bus, views.hub).run)
    service.loop("hosts", views.hosts.run)
    service.loop("execution config", views.execution.run)
    return views


async def _room(parts: _Parts) -> Room:
    settings = parts.settings
    room = Room(
        [settings.home / "gateway"],
        parts.bus,
        parts.service.clock,
        monitor_url=settings.nats_monitor_url,
        min_free_mib=settings.gateway.jobs.min_free_mib,
    )
    await room.prime()
    parts.service.loop("room", room.watch)
    return room


def _job_service(
    parts: _Parts, views: _Views, scheduler: SchedulerClient, world: SubmissionWorld, room: Room
) -> JobService:
    clock, bounds = parts.service.clock, parts.settings.gateway.jobs
    shown = JobViews(views.hub, views.hosts, clock)
    times = WatchTimes(heartbeat_seconds=bounds.heartbeat_seconds, write_seconds=bounds.watch_write_seconds)
    return JobService(
        JobParts(
            submitter=Submitter(views.jobs, views.projection, views.queue, shown, world, clock, room),
            reader=JobReader(views.jobs, shown),
            lister=JobLister(views.projection, shown),
            steering=Steering(views.jobs, shown, clock),
            watches=Watches(views.jobs, views.hub, shown, clock, times),
            tails=LogTails(views.jobs, views.logs, views.hub, clock, bounds.watch_write_seconds),
            explainer=Explainer(views.jobs, views.projection, views.hosts, scheduler, clock),
        )
    )
