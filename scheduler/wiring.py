"""Builds the scheduler and runs it. The only file that constructs."""

import asyncio
from datetime import timedelta

from headway.contract.access import METHOD_SCOPES
from headway.contract.modes import parse_mode
from headway.contract.subjects import BUCKETS, JOBS, KEYS, STREAMS
from headway.runtime.clock import SystemClock
from headway.runtime.durability import check_durable
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.key_authenticator import KeyAuthenticator
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.redaction import Redactor
from headway.runtime.run_file import announced
from headway.runtime.service import Service
from headway.v1 import scheduler_service_pb2
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO
from headway.v1.records_pb2 import JobRecord, KeyRecord
from headway.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from scheduler.apply import Applier
from scheduler.cluster_view import ClusterView
from scheduler.default_mode import DefaultModeFollower
from scheduler.events_publisher import EventsPublisher
from scheduler.jobs_follower import JobsFollower
from scheduler.passes import PassLoop
from scheduler.presence import Presence
from scheduler.pulse import Pulse
from scheduler.scheduler_service import SchedulerService
from scheduler.settings import SchedulerSettings
from scheduler.signals import Signals
from scheduler.synchronize import Synchronizer

SERVICE_NAME = "headway.v1.SchedulerService"


async def serve(settings: SchedulerSettings) -> int:
    """Run until told to stop; returns the exit code."""
    async with Service("scheduler") as service:
        if settings.nats_monitor_url:
            await check_durable(settings.nats_monitor_url)
        bus = await service.enter(connect(settings.nats_url.get_secret_value(), "scheduler"))
        await bus.provision(BUCKETS, STREAMS)
        service.fatal_when(bus.closed, "the connection to NATS is closed for good")
        return await _run(service, bus, settings)


async def _run(service: Service, bus: NatsBus, settings: SchedulerSettings) -> int:
    clock, signals, recovered = SystemClock(), Signals(), asyncio.Event()
    lease_seconds = settings.scheduler.lease_seconds
    start_mode = parse_mode(settings.training_default_mode) or EXECUTION_MODE_AUTO
    view = ClusterView(lease_seconds, start_mode, signals)
    records = bus.records(JOBS, JobRecord)

    jobs = JobsFollower(bus, view, clock)
    mode = DefaultModeFollower(bus, view, start_mode)
    presence = Presence(bus, view, signals, clock, lease_seconds=lease_seconds)
    clean = Redactor().clean
    applier = Applier(records, view, clock, clean=clean)
    pulse = Pulse(view, clock, lease_seconds=lease_seconds)
    passes = PassLoop(view, applier, signals, pulse, clock, on_host_lost=presence.host_lost)
    synchronizer = Synchronizer(view, signals, service, clock, lease=timedelta(seconds=lease_seconds))
    servicer = SchedulerService(view, synchronizer, records, clock, recovered)

    service.loop("follow jobs", jobs.run)
    service.loop("follow the default mode", mode.run)
    service.loop("hosts", lambda: presence.run(recovered))
    service.loop("pulse", pulse.run)
    service.loop("passes", lambda: passes.run(recovered))
    service.loop("events", EventsPublisher(bus, clock, clean=clean).run)

    server = await service.enter(_server(bus, servicer, clock, settings))
    await server.set_serving(SERVICE_NAME, is_serving=False)
    await server.set_serving("", is_serving=False)

    async def drain() -> None:
        synchronizer.close()
        await server.drain()

    async def recover() -> None:
        for caught_up in (jobs.caught_up, mode.caught_up, presence.caught_up):
            await caught_up.wait()
        recovered.set()
        await server.set_serving(SERVICE_NAME, is_serving=True)
        await server.set_serving("", is_serving=True)
        async with announced(settings.home, "scheduler", server.address):
            await asyncio.Event().wait()

    service.loop("recovery", recover)
    service.on_drain("grpc", drain)
    return await service.run()


def _server(bus: NatsBus, servicer: SchedulerService, clock: SystemClock, settings: SchedulerSettings) -> GrpcServer:
    server = GrpcServer(
        settings.scheduler.listen,
        authenticator=KeyAuthenticator(bus.records(KEYS, KeyRecord), clock),
        scopes=METHOD_SCOPES,
        options=ServerOptions(certificate_file=settings.certificate_file, key_file=settings.key_file),
    )
    server.add(
        add_SchedulerServiceServicer_to_server,
        servicer,
        scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"],
    )
    return server
