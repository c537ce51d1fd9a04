"""Builds a trainer host and runs it. The only file that constructs."""

import asyncio
from dataclasses import dataclass

from grpc.aio import Channel

from headway.contract.access import METHOD_SCOPES
from headway.contract.limits import MIB
from headway.runtime.channel import ChannelOptions, open_channel
from headway.runtime.clock import Clock
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.keys import read_key_file
from headway.runtime.leader_finder import LeaderFinder, leader_finder
from headway.runtime.run_file import announced
from headway.runtime.service import Service
from headway.v1 import trainer_hosts_service_pb2
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from headway.v1.trainer_hosts_service_pb2_grpc import add_TrainerHostServiceServicer_to_server
from trainer_host.attempt_run import CheckpointPace, Means
from trainer_host.attempt_store import AttemptStore
from trainer_host.attempt_supervisor import AttemptSupervisor
from trainer_host.attempts import AttemptTable
from trainer_host.checkpoint_fetch import CheckpointFetch
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.checkpoint_uploads import CheckpointUploads
from trainer_host.child_process import ChildProcess
from trainer_host.children import ChildPool
from trainer_host.delivery import Delivery
from trainer_host.files import make_directory, remove_tree
from trainer_host.fork_server_client import ChildOptions, ForkServer
from trainer_host.host_facts import HostIdentity, count_cpu_cores, describe_host, measure_memory_mib, new_boot_id
from trainer_host.host_lock import host_lock
from trainer_host.host_service import HostService
from trainer_host.input_cache import InputCache
from trainer_host.inputs import Inputs
from trainer_host.outbox import Outbox
from trainer_host.own_key import OwnKeyAuthenticator
from trainer_host.retries import Pace
from trainer_host.settings import TrainerHostSettings
from trainer_host.sync_loop import SyncLoop, SyncOptions
from trainer_host.telemetry import AttemptTelemetry
from trainer_host.uploads import Uploads

_SCHEDULER_SERVICE = "headway.v1.SchedulerService"
_FIRST_HELLO_SECONDS = 60.0
"""A host that cannot start children joins all the same after this, and says why it cannot train."""
_DRAIN_SECONDS = 5.0
_KEEPALIVE_SECONDS = 15.0
"""A link that died during an upload is noticed within ten seconds more; servers refuse pings below ten seconds."""
_LAST_WORD_SECONDS = 0.8
_INFERENCE_AT_ONCE = 1
"""The scheduler gives a host one prediction at a time; another that comes before the end of the first is over waits."""


async def serve(settings: TrainerHostSettings) -> int:
    """Run until told to stop; returns the exit code."""
    with host_lock(settings.host_dir):
        async with Service("trainer_host") as service:
            return await _Host(service, settings).serve()


@dataclass(frozen=True, slots=True)
class _Channels:
    """A connection for each purpose, so that a long upload delays neither heartbeats nor log lines."""

    schedulers: LeaderFinder
    blobs: Channel
    results: Channel


class _Host:
    def __init__(self, service: Service, settings: TrainerHostSettings) -> None:
        self._service = service
        self._settings = settings
        self._section = settings.trainer_host
        self._clock: Clock = service.clock
        self._key = settings.api_key.get_secret_value() if settings.api_key else read_key_file(settings.key_path)
        self._identity = HostIdentity(
            host_id=self._section.host_id,
            mode=EXECUTION_MODE_LOCAL if self._section.mode == "local" else EXECUTION_MODE_HOST,
            num_slots=self._section.num_slots,
            labels=self._section.labels,
            boot_id=new_boot_id(),
            num_cpu_cores=count_cpu_cores(),
            memory_mib=measure_memory_mib(),
        )
        self._table = AttemptTable(AttemptStore(settings.host_dir / "attempts"), self._clock)
        self._outbox = Outbox(settings.host_dir / "outbox")
        self._server = self._new_server()

    async def serve(self) -> int:
        service = self._service
        self._outbox.prepare()
        forks = await service.enter(ForkServer(ChildOptions(recipes=self._section.recipes)))
        self._pool = ChildPool(lambda: ChildProcess(forks), self._clock, news=self._table.changed)
        channels = await self._connect()
        supervisor = AttemptSupervisor(self._means(channels))
        sync = SyncLoop(
            channels.schedulers,
            supervisor,
            self._describe,
            self._clock,
            SyncOptions(
                pace=Pace(first_seconds=0.1, longest_seconds=3.0 if channels.schedulers.is_alone else 0.5),
                orphan_limit_seconds=self._section.orphan_limit_seconds,
            ),
        )
        await service.enter(self._server)

        async def converse() -> None:
            await supervisor.restore()
            # A host that joins before it knows what it can do would make the gateway refuse jobs.
            await self._clock.wait_for_event(self._pool.known, _FIRST_HELLO_SECONDS)
            async with announced(self._settings.home, "trainer_host", self._server.address):
                await sync.run()

        async def drain() -> None:
            await supervisor.drain(_DRAIN_SECONDS)
            await sync.flush(_LAST_WORD_SECONDS)

        service.loop("children", self._pool.run)
        service.loop("scheduler", converse)
        service.loop("silence", sync.watch_silence)
        service.on_drain("attempts", drain)
        service.on_drain("grpc", self._server.drain)
        return await service.run()

    def _means(self, channels: _Channels) -> Means:
        section, clock = self._section, self._clock
        blobs = BlobServiceStub(channels.blobs)
        results = ResultServiceStub(channels.results)
        cache = InputCache(self._settings.host_dir / "cache", limit_bytes=section.cache_limit_mib * MIB)
        cache.prepare()
        work_dir = self._settings.host_dir / "work"
        remove_tree(work_dir)
        checkpoints = CheckpointStore(self._settings.host_dir / "checkpoints")
        checkpoints.prepare()
        uploads = Uploads(blobs)
        pace = Pace(longest_seconds=section.delivery_wait_max_seconds)
        fetch_pace = Pace(first_seconds=0.5, give_up_seconds=section.input_limit_seconds)
        return Means(
            host=self._identity.name,
            work_dir=make_directory(work_dir),
            table=self._table,
            inputs=Inputs(cache, blobs, clock, fetch_pace),
            pool=self._pool,
            outbox=self._outbox,
            delivery=Delivery(uploads, results, clock, pace),
            checkpoints=checkpoints,
            checkpoint_fetch=CheckpointFetch(checkpoints, blobs, clock, fetch_pace),
            new_checkpoint_uploads=lambda key: CheckpointUploads(
                key, self._identity.name, uploads=uploads, results=results, store=checkpoints, clock=clock, pace=pace
            ),
            checkpoint_pace=CheckpointPace(
                interval_seconds=section.checkpoint_interval_seconds,
                interval_steps=section.checkpoint_interval_steps,
                limit_seconds=section.checkpoint_limit_seconds,
            ),
            new_telemetry=lambda key: AttemptTelemetry(key, self._identity.name, results, clock),
            spawner=self._service,
            clock=clock,
            slots=asyncio.Semaphore(section.num_slots),
            inference_slots=asyncio.Semaphore(_INFERENCE_AT_ONCE),
            stop_limit_seconds=section.stop_limit_seconds,
            disk_pace=pace,
        )

    async def _connect(self) -> _Channels:
        options = ChannelOptions(ca_file=self._settings.ca_file, keepalive_seconds=_KEEPALIVE_SECONDS)
        gateway, schedulers = self._section.gateway_address, self._section.scheduler_address.each
        finder = leader_finder(schedulers, _SCHEDULER_SERVICE, api_key=self._key, options=options)
        return _Channels(
            schedulers=await self._service.enter(finder),
            blobs=await self._service.enter(open_channel(gateway, api_key=self._key, options=options)),
            results=await self._service.enter(open_channel(gateway, api_key=self._key, options=options)),
        )

    def _new_server(self) -> GrpcServer:
        server = GrpcServer(
            self._section.listen,
            authenticator=OwnKeyAuthenticator(self._key),
            scopes=METHOD_SCOPES,
            options=ServerOptions(certificate_file=self._settings.certificate_file, key_file=self._settings.key_file),
        )
        service = trainer_hosts_service_pb2.DESCRIPTOR.services_by_name["TrainerHostService"]
        server.add(
            add_TrainerHostServiceServicer_to_server, HostService(self._describe, self._table, self._outbox), service
        )
        return server

    def _describe(self) -> Host:
        return describe_host(
            self._identity,
            self._pool.facts,
            address=self._server.address,
            draining=self._service.draining.is_set(),
        )
