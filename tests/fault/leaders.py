"""Who leads in a cluster with several schedulers, and who was ever given what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headway.contract.subjects import EVENTS, JOBS, LEASES
from headway.runtime.channel import open_channel
from headway.runtime.nats_bus import NatsBus, connect
from headway.testing.eventually import eventually
from headway.v1.records_pb2 import JobRecord, LeaseRecord
from tests.fault.cluster import FaultCluster
from tests.fault.process import Proc
from tests.health_checks import serving_status

SERVICE = "headway.v1.SchedulerService"
LEADER_LEASE_SECONDS = 1.5
ENVIRON = {"HEADWAY_SCHEDULER__LEADER_LEASE_SECONDS": str(LEADER_LEASE_SECONDS)}
TAKE_OVER_SECONDS = 60.0
"""How long a test waits for a leader; what it then took is judged by the test."""


@dataclass(slots=True)
class Ledger:
    """Everything that was written while a test ran: claims, and leaders."""

    holders: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """By job and attempt: every host that was ever named."""
    reigns: dict[int, set[str]] = field(default_factory=dict)
    """By the number of the reign: every process that was ever named as the leader."""

    def note_job(self, job_id: str, record: JobRecord) -> None:
        if record.job.host:
            self.holders.setdefault((job_id, record.job.attempt), set()).add(record.job.host)

    def note_lease(self, record: LeaseRecord) -> None:
        if record.boot_id:
            self.reigns.setdefault(record.reign, set()).add(record.boot_id)

    def check(self) -> None:
        """F14: nobody is given the same fence twice, and no two lead at a time."""
        twice = {key: hosts for key, hosts in self.holders.items() if len(hosts) > 1}
        assert not twice, f"one fence for several hosts: {twice}"
        shared = {reign: boots for reign, boots in self.reigns.items() if len(boots) > 1}
        assert not shared, f"several leaders in one reign: {shared}"


@asynccontextmanager
async def ledger_of(cluster: FaultCluster) -> AsyncIterator[Ledger]:
    """Write down what the store is told, for the length of the block."""
    ledger = Ledger()
    async with connect(cluster.plan.nats_url, "ledger") as bus, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_follow_jobs(bus, ledger)), group.create_task(_follow_leases(bus, ledger))]
        try:
            yield ledger
        finally:
            for task in tasks:
                task.cancel()


async def _follow_jobs(bus: NatsBus, ledger: Ledger) -> None:
    async with bus.feed(JOBS) as feed:
        async for message in feed:
            ledger.note_job(message.key, JobRecord.FromString(message.data))


async def _follow_leases(bus: NatsBus, ledger: Ledger) -> None:
    async with bus.feed(LEASES) as feed:
        async for message in feed:
            ledger.note_lease(LeaseRecord.FromString(message.data))


async def events_of(cluster: FaultCluster, job: str) -> list[int]:
    """The numbers of the transitions of which an event was published, in the order of the stream."""
    job_id, found = job.rpartition("/")[2], []
    async with connect(cluster.plan.nats_url, "events") as bus, bus.feed(EVENTS) as feed:
        while not feed.is_caught_up:
            owner, number, *_ = (await anext(aiter(feed))).headers["Nats-Msg-Id"].split(":")
            if owner == job_id:
                found.append(int(number))
    return found


async def leaders(cluster: FaultCluster) -> list[Proc]:
    """The schedulers that say they lead."""

    async def leads(proc: Proc) -> bool:
        if not proc.is_alive:
            return False
        async with open_channel(proc.address) as channel:
            try:
                status = await serving_status(channel, SERVICE, timeout_seconds=0.3)
            except grpc.aio.AioRpcError:
                return False
        return status == HealthCheckResponse.SERVING

    are_leading = await asyncio.gather(*(leads(proc) for proc in cluster.schedulers))
    return [proc for proc, is_leading in zip(cluster.schedulers, are_leading, strict=True) if is_leading]


async def the_leader(cluster: FaultCluster, *, but: Proc | None = None) -> Proc:
    """Wait until a scheduler leads, another than `but`."""

    async def look() -> Proc | None:
        return next((one for one in await leaders(cluster) if one is not but), None)

    found = await eventually(look, timeout_seconds=TAKE_OVER_SECONDS, interval_seconds=0.02)
    assert found is not None
    return found
