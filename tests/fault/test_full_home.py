"""P28 for a whole machine: everything of `headway up`, logs and store included, lies on one disk, which runs full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.client.client import HeadwayClient
from headway.runtime.remote_error import RemoteError
from headway.testing.cluster import SERVICES, Cluster
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import TOY_RECIPE, ToySpec
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.fault.small_disk import SmallDisk, small_disk

LIMIT_SECONDS = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", mib=64) as disk:
        yield disk


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_machine_whose_disk_ran_full_takes_jobs_again_by_itself_and_has_lost_none_p28_p1(
    disk: SmallDisk,
) -> None:
    environ = {
        "HEADWAY_TRAINER_HOST__RECIPES": f'["{TOY_RECIPE}"]',
        "HEADWAY_GATEWAY__JOBS__MIN_FREE_MIB": "2",
        "HEADWAY_GATEWAY__BLOBS__MIN_FREE_MIB": "4",
    }
    with Cluster(disk.folder, environ) as cluster:
        pids = {service: cluster.pid(service) for service in SERVICES}
        async with cluster.client() as client:
            names = [(await client.jobs.create(_toy())).name for _ in range(3)]
            names += await _until_refused(client, disk)

            # Nobody died of it: not of a log line, a run file or a row that could not be written.
            assert {service: cluster.pid(service) for service in SERVICES} == pids
            assert set(names) <= {job.name async for job in client.jobs.list()}

            disk.make_room()
            names.append(await _until_taken(client))
            for name in names:
                assert (await client.jobs.wait(name)).state == JOB_STATE_SUCCEEDED


def _toy() -> JobSpec:
    return ToySpec(num_steps=20, step_seconds=0.01).job_spec()


async def _until_refused(client: HeadwayClient, disk: SmallDisk) -> list[str]:
    """Take the last byte again and again, and submit until the answer is no; the jobs that were taken."""
    taken: list[str] = []

    async def is_refused() -> bool:
        disk.fill()
        try:
            taken.append((await client.jobs.create(_toy())).name)
        except RemoteError as error:
            return error.reason == "DISK_FULL"
        return False

    await eventually(is_refused, timeout_seconds=LIMIT_SECONDS)
    return taken


async def _until_taken(client: HeadwayClient) -> str:
    name = ""

    async def is_taken() -> bool:
        nonlocal name
        try:
            name = (await client.jobs.create(_toy())).name
        except RemoteError:
            return False
        return True

    await eventually(is_taken, timeout_seconds=LIMIT_SECONDS, interval_seconds=0.5)
    return name
