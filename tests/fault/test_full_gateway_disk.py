"""P28 and row F8 at the gateway: its own disk, with the projection, the logs and the blobs on it, is really full."""

import errno
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import Code, DiskFull
from headway.contract.limits import KIB, MIB
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.uploads import upload
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, Job
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    ListJobsRequest,
    LogLine,
    TailLogsRequest,
    WatchJobRequest,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import ReportTelemetryRequest
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.fault.small_disk import SmallDisk, small_disk
from tests.fault.submitting import LIMIT_SECONDS, until_refused, until_taken
from tests.jobs_gateway import PARENT, Gateway, claimed, create, get, running_gateway

SECTION = {"jobs": {"min_free_mib": 1}, "blobs": {"min_free_mib": 2}}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "home", mib=16) as disk:
        yield disk


@pytest.fixture
async def gateway(disk: SmallDisk, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(disk.folder, nats_server, nats_bus, **SECTION) as gateway:
        yield gateway


async def test_a_gateway_without_a_byte_left_refuses_new_jobs_and_all_else_goes_on_f8_p28(
    gateway: Gateway, disk: SmallDisk
) -> None:
    jobs = [await create(gateway) for _ in range(5)]
    disk.fill()
    error = await until_refused(gateway)
    assert (error.code, error.metadata["place"]) == (Code.RESOURCE_EXHAUSTED, "gateway")
    assert error.is_retryable

    # More changes than fit into what SQLite had room for already.
    for _ in range(30):
        await gateway.change(jobs[1].name, _grown)
    await answer(gateway.jobs.CancelJob(CancelJobRequest(name=jobs[0].name)))
    assert (await get(gateway, jobs[0])).state == JOB_STATE_CANCELLED
    assert {job.name for job in jobs} <= await _listed(gateway, "")
    async with aclosing(responses(gateway.jobs.WatchJob(WatchJobRequest(name=jobs[2].name)))) as messages:
        assert (await anext(messages)).HasField("snapshot")

    disk.make_room()
    await until_taken(gateway)

    async def is_caught_up() -> bool:
        return await _listed(gateway, "state = CANCELLED") == {jobs[0].name}

    await eventually(is_caught_up, timeout_seconds=LIMIT_SECONDS)


async def test_log_lines_that_do_not_fit_are_refused_and_kept_once_when_they_come_again_f8_p28(
    gateway: Gateway, disk: SmallDisk
) -> None:
    job = await create(gateway)
    await gateway.change(job.name, claimed)
    await _report(gateway, job, range(1, 11))
    disk.fill()
    with pytest.raises(RemoteError) as caught:
        await _report(gateway, job, range(11, 61))
    assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "DISK_FULL")
    assert await _lines(gateway, job) == list(range(1, 11))
    disk.make_room()
    await _report(gateway, job, range(11, 61))
    assert await _lines(gateway, job) == list(range(1, 61))


async def test_uploads_are_refused_before_the_disk_is_full_and_leave_nothing_behind_f8_p28(
    gateway: Gateway, disk: SmallDisk, tmp_path: Path
) -> None:
    content = os.urandom(3 * MIB)
    file = tmp_path / "weights.bin"
    file.write_bytes(content)
    blob = BlobFile(file, sha256_of(content), len(content))
    stub = BlobServiceStub(gateway.channel)
    # At the door it would fit; then somebody else's file grows while it comes in.
    disk.fill(leave_bytes=4 * MIB)
    with pytest.raises(RemoteError) as refused:
        await upload(stub, PARENT, blob)
    assert (refused.value.code, refused.value.reason) == (Code.RESOURCE_EXHAUSTED, "DISK_FULL")
    assert refused.value.is_retryable

    disk.make_room()
    disk.fill(leave_bytes=6 * MIB)

    def grow(_: int) -> None:
        disk.fill(leave_bytes=64 * KIB)

    with pytest.raises(RemoteError) as cut:
        await upload(stub, PARENT, blob, grow)
    assert cut.value.reason == "DISK_FULL"
    assert not [path for path in (disk.folder / "gateway" / "blobs").rglob("*") if path.is_file()]

    disk.make_room()
    await upload(stub, PARENT, blob)
    (kept,) = (path for path in (disk.folder / "gateway" / "blobs").rglob("*") if path.is_file())
    assert kept.read_bytes() == content


def _grown(record: JobRecord) -> JobRecord:
    record.job.admission.warnings.append("x" * 4 * KIB)
    return record


async def test_a_gateway_that_is_started_on_a_full_disk_says_so_and_throws_nothing_away_f8_p28(
    disk: SmallDisk, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    async with running_gateway(disk.folder, nats_server, nats_bus, **SECTION) as first:
        job = await create(first)
        assert await _listed(first, "") == {job.name}
    projection = disk.folder / "gateway" / "projection.db"
    before = projection.stat().st_ino
    disk.fill()
    with pytest.raises((DiskFull, OSError)) as caught:
        async with running_gateway(disk.folder, nats_server, nats_bus, **SECTION):
            pytest.fail("it cannot serve without a byte to write")
    assert not isinstance(caught.value, OSError) or caught.value.errno == errno.ENOSPC
    assert projection.stat().st_ino == before
    assert not list(projection.parent.glob("*.damaged-*"))
    disk.make_room()
    async with running_gateway(disk.folder, nats_server, nats_bus, **SECTION) as second:
        assert await _listed(second, "") == {job.name}


async def _listed(gateway: Gateway, condition: str) -> set[str]:
    listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT, filter=condition, page_size=1000)))
    return {job.name for job in listed.jobs}


async def _report(gateway: Gateway, job: Job, numbers: Sequence[int]) -> None:
    """Report lines of 4 KiB each."""

    async def messages() -> AsyncIterator[ReportTelemetryRequest]:
        lines = [LogLine(number=number, attempt=1, message="x" * 4 * KIB) for number in numbers]
        yield ReportTelemetryRequest(job=job.name, attempt=1, host="hosts/local", lines=lines)

    await answer(ResultServiceStub(gateway.channel).ReportTelemetry(messages()))


async def _lines(gateway: Gateway, job: Job) -> list[int]:
    async with aclosing(responses(gateway.jobs.TailLogs(TailLogsRequest(name=job.name)))) as batches:
        return [line.number async for batch in batches for line in batch.lines]
