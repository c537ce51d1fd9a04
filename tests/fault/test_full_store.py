"""P28 and rows F8, F9, F45 at nats-server: a disk that is really full, or fails an fsync, and a bucket at its bound."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.room import Room
from headway.contract.errors import Code, DiskFull, StoreUnavailable
from headway.contract.ids import new_job_id
from headway.contract.limits import GIB, KIB, MIB
from headway.contract.subjects import BUCKETS, JOBS, STREAMS
from headway.contract.transitions import request_cancel
from headway.runtime.clock import SystemClock
from headway.runtime.durability import Ailment, find_ailment
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_server import NatsServer, NatsServerOptions
from headway.runtime.remote_error import answer
from headway.testing.builders import A_MOMENT, a_record
from headway.testing.nats import running_nats
from headway.testing.ports import free_port
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED
from headway.v1.jobs_service_pb2 import CancelJobRequest, ListJobsRequest
from headway.v1.records_pb2 import JobRecord
from tests.fault.small_disk import SmallDisk, small_disk
from tests.fault.submitting import until_refused, until_taken
from tests.jobs_gateway import PARENT, create, get, running_gateway


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", mib=8) as disk:
        yield disk


@pytest.fixture
async def nats(disk: SmallDisk) -> AsyncIterator[NatsServer]:
    async with running_nats(disk.folder / "nats") as server:
        yield server


@pytest.fixture
async def bus(nats: NatsServer) -> AsyncIterator[NatsBus]:
    async with connect(nats.url, "test") as bus:
        await bus.provision(BUCKETS, STREAMS)
        yield bus


async def test_the_disk_of_the_store_fills_up_and_jobs_are_refused_before_nats_server_meets_its_end_f8_p28(
    tmp_path: Path, disk: SmallDisk, nats: NatsServer, bus: NatsBus
) -> None:
    async with running_gateway(tmp_path / "home", nats, bus, jobs={"min_free_mib": 2}) as gateway:
        accepted = await create(gateway)
        disk.fill(leave_bytes=MIB)
        error = await until_refused(gateway)
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "DISK_FULL")
        assert error.retry_after is not None
        assert error.is_retryable

        # What was accepted goes on: it can be read, listed and changed, and nats-server is well.
        await answer(gateway.jobs.CancelJob(CancelJobRequest(name=accepted.name)))
        assert (await get(gateway, accepted)).state == JOB_STATE_CANCELLED
        assert await find_ailment(nats.monitor_url) is None

        disk.make_room()
        await until_taken(gateway)


@pytest.mark.slow
async def test_a_store_at_the_end_of_its_disk_loses_nothing_acknowledged_and_takes_jobs_again_after_a_restart_f8_p28(
    tmp_path: Path, disk: SmallDisk, nats: NatsServer, bus: NatsBus
) -> None:
    """Somebody else's file has taken the last byte: what nats-server does then is none of our making."""
    async with running_gateway(tmp_path / "home", nats, bus, jobs={"min_free_mib": 0}) as gateway:
        acknowledged = [await create(gateway) for _ in range(3)]
        disk.fill()
        ours = await _store_until_it_stops(nats)
        assert await find_ailment(nats.monitor_url) is Ailment.NO_ROOM

        error = await until_refused(gateway)
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "DISK_FULL")
        assert error.metadata["place"] == "nats-server"
        assert (await get(gateway, acknowledged[0])).name == acknowledged[0].name
        listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))
        assert {job.name for job in acknowledged} <= {job.name for job in listed.jobs}

        # Room alone does not bring it back; a restart does, which `headway up` sees to.
        disk.make_room()
        await nats.kill()
        await nats.start()
        await until_taken(gateway)
        for job in acknowledged:
            assert (await get(gateway, job)).name == job.name
        for job_id in ours:
            assert await gateway.records.find(job_id) is not None


async def _store_until_it_stops(nats: NatsServer) -> list[str]:
    """Write jobs straight into the bucket until nothing is acknowledged any more; those that were, by id."""
    acknowledged: list[str] = []
    options = BusOptions(request_timeout_seconds=1.0)
    async with connect(nats.url, "writer", options=options) as bus:
        records = bus.records(JOBS, JobRecord)
        record = a_record()
        record.job.admission.warnings.append("x" * 4 * KIB)
        while True:
            job_id = new_job_id()
            try:
                await records.create(job_id, record)
            except StoreUnavailable:
                return acknowledged
            acknowledged.append(job_id)


async def test_a_bucket_near_its_bound_takes_no_new_jobs_and_lets_those_in_it_go_on_f45_p27(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    await nats_bus.provision(BUCKETS, STREAMS)
    records = nats_bus.records(JOBS, JobRecord)
    job_ids = [new_job_id() for _ in range(100)]
    for job_id in job_ids:
        await records.create(job_id, a_record())
    room = Room([tmp_path], nats_bus, SystemClock(), monitor_url=nats_server.monitor_url, min_free_mib=1)
    await room.prime()
    room.check()

    num_bytes = (await nats_bus.stream_state(JOBS)).num_bytes
    await _bound_jobs(nats_bus, int(num_bytes / 0.92))
    await room.prime()
    with pytest.raises(DiskFull) as caught:
        room.check()
    assert caught.value.metadata["place"] == "jobs bucket"
    for job_id in job_ids[:10]:
        await records.change(job_id, lambda record: request_cancel(record, now=A_MOMENT, message=""))


async def test_a_bucket_at_its_bound_refuses_a_write_before_it_is_acknowledged_f45_p28(
    nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    await nats_bus.provision(BUCKETS, STREAMS)
    await _bound_jobs(nats_bus, 20 * KIB)
    records = nats_bus.records(JOBS, JobRecord)
    acknowledged: list[str] = []

    async def create_until_refused() -> None:
        while True:
            await records.create(job_id := new_job_id(), a_record())
            acknowledged.append(job_id)

    with pytest.raises(DiskFull) as caught:
        await create_until_refused()
    assert caught.value.retry_after is not None
    assert acknowledged
    for job_id in acknowledged:
        assert await records.find(job_id) is not None


async def test_a_server_whose_store_is_too_small_is_refused_at_the_start_with_the_remedy_f45(tmp_path: Path) -> None:
    options = NatsServerOptions(
        directory=tmp_path, port=free_port(), monitor_port=free_port(), max_file_store_bytes=GIB
    )
    async with NatsServer(options) as server, connect(server.url, "test") as bus:
        with pytest.raises(DiskFull, match="max_file_store"):
            await bus.provision(BUCKETS, STREAMS)


async def _bound_jobs(bus: NatsBus, max_bytes: int) -> None:
    """Let the bucket of jobs hold less than its row of the table says."""
    await bus.provision([replace(JOBS, max_bytes=max_bytes)], [])
