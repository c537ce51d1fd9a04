"""Row F24: the disk of a trainer host is really full while it trains, saves and delivers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, Job
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.small_disk import SmallDisk, small_disk

FULL_SECONDS = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "h1", mib=16) as disk:
        yield disk


def is_running_beyond(step: int) -> Callable[[Job], bool]:
    def check(job: Job) -> bool:
        return job.state == JOB_STATE_RUNNING and job.progress.step > step

    return check


@pytest.mark.slow
async def test_a_full_disk_costs_a_host_its_checkpoints_and_not_the_training_f24(
    tmp_path: Path, disk: SmallDisk
) -> None:
    async with fault_cluster(tmp_path) as cluster:
        job = await cluster.submit(ToySpec(num_steps=300, step_seconds=0.02))
        await cluster.until(job, lambda one: one.checkpoint.step > 0)
        disk.fill()
        full_at = (await cluster.get(job)).progress.step
        await cluster.until(job, is_running_beyond(full_at + 20))
        await eventually(lambda: _is_told(cluster, job, "is skipped: the host's disk is full"))

        disk.make_room()
        saved = (await cluster.get(job)).checkpoint.step
        await cluster.until(job, lambda one: one.checkpoint.step > saved)
        done = await cluster.ended(job, timeout_seconds=FULL_SECONDS)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1)
        await cluster.check()


async def test_a_result_in_the_outbox_outlives_a_full_disk_and_is_delivered_f24_p11(
    tmp_path: Path, disk: SmallDisk
) -> None:
    """The gateway is away when the training ends, and there is no room to keep the result durably."""
    async with fault_cluster(tmp_path) as cluster:
        job = await cluster.submit(ToySpec(num_steps=100, step_seconds=0.02, resumable=False))
        await cluster.until(job, is_running_beyond(2))
        cluster.gateway.kill9()
        await eventually(lambda: _is_held(cluster), timeout_seconds=FULL_SECONDS)
        disk.fill()
        await cluster.gateway.restart()
        done = await cluster.ended(job, timeout_seconds=FULL_SECONDS)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1)
        disk.make_room()
        await cluster.check()


def _is_held(cluster: FaultCluster) -> bool:
    """Whether the finished result lies in the host's outbox."""
    return any((cluster.hosts[0].folder / "home").rglob("results/*/bundle/toy.json"))


async def _is_told(cluster: FaultCluster, job: str, words: str) -> bool:
    return any([words in line.message async for line in cluster.client().jobs.logs(job)])
