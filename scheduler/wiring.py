"""Builds the scheduler and runs it. The only file that constructs."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import timedelta

from headway.contract.access import METHOD_SCOPES
from headway.contract.modes import parse_mode
from headway.contract.subjects import BUCKETS, JOBS, KEYS, STREAMS
from headway.runtime.clock import Clock
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
from scheduler.leader_lease import Candidate
from scheduler.leadership import Leadership
from scheduler.lease_keeper import LeaseKeeper
from scheduler.passes import PassLoop
from scheduler.presence import Presence
from scheduler.pulse import Pulse
from scheduler.reign import Reign
from scheduler.scheduler_identity import scheduler_identity
from scheduler.scheduler_service import SchedulerService
from scheduler.settings import SchedulerSettings
from scheduler.signals import Signals
from scheduler.synchronize import Synchronizer

SERVICE_NAME = "headway.v1.SchedulerService"
_HAND_OVER_SECONDS = 1.0
"""A store that does not answer holds up the end for no longer; a standby then waits until the lease is over."""


async def serve(settings: SchedulerSettings) -> int:
    """Run until told to stop; returns the exit code."""
    with scheduler_identity(settings.home / "scheduler") as holder_id:
        async with Service("scheduler") as service:
            if settings.nats_monitor_url:
                await check_durable(settings.nats_monitor_url)
            bus = await service.enter(connect(settings.nats_url.get_secret_value(), "scheduler"))
            await bus.provision(BUCKETS, STREAMS)
            service.fatal_when(bus.closed, "the connection to NATS is closed for good")
            return await _run(service, bus, settings, holder_id)


@dataclass(frozen=True, slots=True)
class _Warm:
    """What a standby follows as the leader does."""

    view: ClusterView
    signals: Signals
    jobs: JobsFollower
    mode: DefaultModeFollower


def _warm(bus: NatsBus, clock: Clock, settings: SchedulerSettings) -> _Warm:
    signals = Signals()
    start_mode = parse_mode(settings.training_default_mode) or EXECUTION_MODE_AUTO
    view = ClusterView(settings.scheduler.lease_seconds, start_mode, signals)
    return _Warm(view, signals, JobsFollower(bus, view, clock), DefaultModeFollower(bus, view, start_mode))


def _new_reign(service: Service, bus: NatsBus, warm: _Warm, keeper: LeaseKeeper, settings: SchedulerSettings) -> Reign:
    """All that only the leader does, without a memory of the reign before."""
    clock, view, signals = service.clock, warm.view, warm.signals
    lease_seconds, clean = settings.scheduler.lease_seconds, Redactor().clean
    view.forget_hosts()
    applier = Applier(bus.records(JOBS, JobRecord), view, clock, clean=clean, is_leading=keeper.is_held)
    presence = Presence(bus, view, signals, clock, lease_seconds=lease_seconds, is_leading=keeper.is_held)
    pulse = Pulse(view, clock, lease_seconds=lease_seconds)
    return Reign(
        warm=(warm.jobs.catch_up, warm.mode.caught_up.wait),
        presence=presence,
        passes=PassLoop(view, applier, signals, pulse, clock, on_host_lost=presence.host_lost),
        pulse=pulse,
        events=EventsPublisher(bus, clock, clean=clean, is_leading=keeper.is_held),
        synchronizer=Synchronizer(view, signals, service, clock, lease=timedelta(seconds=lease_seconds)),
        clock=clock,
    )


async def _run(service: Service, bus: NatsBus, settings: SchedulerSettings, holder_id: str) -> int:
    warm = _warm(bus, service.clock, settings)
    me = Candidate(
        holder_id=holder_id,
        boot_id=secrets.token_hex(8),
        address=settings.scheduler.advertised_address or settings.scheduler.listen,
        lease_seconds=settings.scheduler.leader_lease_seconds,
    )
    keeper = LeaseKeeper(bus, service.clock, me)

    async def tell_serving(is_serving: bool) -> None:  # noqa: FBT001 - the only argument of a callback
        await server.set_serving(SERVICE_NAME, is_serving=is_serving)

    leadership = Leadership(keeper, lambda: _new_reign(service, bus, warm, keeper, settings), tell_serving=tell_serving)
    servicer = SchedulerService(warm.view, leadership, bus.records(JOBS, JobRecord), service.clock)
    server = await service.enter(_server(bus, servicer, service.clock, settings))
    await server.set_serving(SERVICE_NAME, is_serving=False)
    await server.set_serving("", is_serving=False)

    async def announce() -> None:
        """A standby is ready, too, once it knows the jobs."""
        for ready in (leadership.settled, warm.jobs.caught_up, warm.mode.caught_up):
            await ready.wait()
        await server.set_serving("", is_serving=True)
        async with announced(settings.home, "scheduler", server.address):
            await asyncio.Event().wait()

    async def drain() -> None:
        leadership.retire()
        await service.clock.wait_for_event(leadership.retired, _HAND_OVER_SECONDS)
        await server.drain()

    service.loop("follow jobs", warm.jobs.run)
    service.loop("follow the default mode", warm.mode.run)
    service.loop("follow the leader lease", keeper.follow)
    service.loop("leadership", leadership.run)
    service.loop("stand by", leadership.stand_by)
    service.loop("announcement", announce)
    service.on_drain("grpc", drain)
    return await service.run()


def _server(bus: NatsBus, servicer: SchedulerService, clock: Clock, settings: SchedulerSettings) -> GrpcServer:
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
