"""Wall clocks that jump while everything runs (P22): no lease, no wait and no order changes, no history runs back.

Only the process under test sees the jump; the test's own clock and the other processes' stay.
"""

from pathlib import Path

import pytest

from headway.contract.times import moment
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, Job
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.wall_clock import WallClock

HOUR, DAY = 3600, 86_400
LONG = ToySpec(num_steps=150, step_seconds=0.01)
SHORT = ToySpec(num_steps=2)


@pytest.mark.slow
async def test_the_gateways_clock_jumps_by_a_day_f10(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    async with fault_cluster(tmp_path, lease_seconds=6, interval_steps=20, gateway_environ=clock.environ) as cluster:
        await _nothing_but_the_time_changes(cluster, clock, DAY)


@pytest.mark.slow
async def test_the_schedulers_clock_jumps_by_a_day_f10(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    async with fault_cluster(tmp_path, lease_seconds=6, interval_steps=20, scheduler_environ=clock.environ) as cluster:
        await _nothing_but_the_time_changes(cluster, clock, DAY)


@pytest.mark.slow
async def test_a_hosts_clock_jumps_by_an_hour_f29(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    async with fault_cluster(tmp_path, lease_seconds=6, interval_steps=20, host_environ=clock.environ) as cluster:
        await _nothing_but_the_time_changes(cluster, clock, HOUR)


async def _nothing_but_the_time_changes(cluster: FaultCluster, clock: WallClock, jump_seconds: int) -> None:
    """Forward, and back to as much behind, each while one job runs and another waits."""
    for number, seconds in enumerate((jump_seconds, -jump_seconds)):
        running = await cluster.submit(LONG)
        await cluster.until(running, lambda job: job.state == JOB_STATE_RUNNING)
        earlier = await cluster.submit(SHORT)

        clock.set(seconds)

        later = await cluster.submit(SHORT)
        retried = await cluster.submit(_failing_once(cluster.folder / f"failures{number}"))
        await cluster.ended(later)
        overtaken = await cluster.get(earlier)
        assert overtaken.state == JOB_STATE_SUCCEEDED, "what was submitted first goes first"
        await cluster.ended(running, earlier, later, retried)
        for job in (running, earlier, later):
            await _ran_once_and_forward(cluster, job)
        await _ran_forward(cluster, retried)
    await cluster.check()


def _failing_once(folder: Path) -> ToySpec:
    folder.mkdir()
    return SHORT.model_copy(update={"fail_at_step": 0, "failing_attempts": 1, "failures_dir": str(folder)})


async def _ran_once_and_forward(cluster: FaultCluster, name: str) -> None:
    job = await _ran_forward(cluster, name)
    assert job.attempt == 1, "no lease ran out"


async def _ran_forward(cluster: FaultCluster, name: str) -> Job:
    job = await cluster.get(name)
    assert job.state == JOB_STATE_SUCCEEDED
    transitions = [moment(one.occur_time) for one in job.transitions]
    assert transitions == sorted(transitions)
    attempts = [moment(time) for one in job.attempts for time in (one.start_time, one.end_time)]
    life = [moment(job.create_time), moment(job.start_time), *attempts[1:-1], moment(job.end_time)]
    assert life == sorted(life)
    return job
