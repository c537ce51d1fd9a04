"""Trainer hosts whose agent is killed, that are frozen, starved and restarted: F19 to F23, F25, F28."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from headway.runtime.clock import SystemClock
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
)
from tests.contract.host_steps import is_alive
from tests.fault import figures
from tests.fault.checker import repeated_steps
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.faults import BURNERS, children_of
from tests.fault.final_state import read_steps
from tests.fault.host_acts import TOY, holder, others, outcomes, running, steps_of, what_was_learned
from tests.fault.workload import submit_many

CLOCK = SystemClock()
TOY_STATE = "training/toy.json"


# F19.


@pytest.mark.slow
async def test_no_child_outlives_its_agent(cluster: FaultCluster) -> None:
    """F19: kill -9 of the agent alone, while a child trains."""
    job = await running(cluster, await cluster.submit(ToySpec(num_steps=100, step_seconds=0.02)), step=1)
    victim = holder(cluster, job)
    children = children_of(victim)
    assert children
    begin = time.perf_counter()
    victim.kill9()
    # A second on a machine with nothing else to do.
    await eventually(lambda: not any(is_alive(child) for child in children), timeout_seconds=20)
    figures.record(row="F19", name="orphans_gone", seconds=time.perf_counter() - begin)
    await victim.restart()
    assert (await cluster.ended(job.name)).state == JOB_STATE_SUCCEEDED
    await cluster.check()


# F20, F21: the machine stands still, as a laptop whose lid is closed.


@pytest.mark.slow
async def test_a_host_that_wakes_up_late_changes_nothing(tmp_path: Path) -> None:
    """F20, P9, P16: it delivers a result while another host has the job, before anybody can tell it. STALE_ATTEMPT."""
    # Without checkpoints the other host has all of it to do, and the result comes at once.
    at_once = {"HEADWAY_TRAINER_HOST__DELIVERY_WAIT_MAX_SECONDS": "0.1"}
    async with fault_cluster(tmp_path, hosts=2, links=True, interval_steps=0, host_environ=at_once) as cluster:
        job = await running(cluster, await cluster.submit(ToySpec(num_steps=250, step_seconds=0.02)))
        cluster.watch(job.name)
        sleeper = holder(cluster, job)
        await eventually(lambda: len(steps_of(cluster, job)) > 200, timeout_seconds=60)
        cluster.gateway.kill9()
        sealed = f"home/hosts/{sleeper.name}/outbox/results/*/commit.pb"
        await eventually(lambda: any(sleeper.folder.glob(sealed)), timeout_seconds=30)
        sleeper.stop()
        await cluster.gateway.restart()
        await cluster.until(job.name, lambda one: one.state == JOB_STATE_RUNNING and one.attempt == 2)
        cluster.links[f"{sleeper.name}-scheduler1"].refuse()
        sleeper.cont()
        await eventually(lambda: "the result is not wanted any more" in sleeper.log(), timeout_seconds=30)
        cluster.links[f"{sleeper.name}-scheduler1"].heal()
        done = await cluster.ended(job.name)
        assert outcomes(done) == [ATTEMPT_OUTCOME_LOST, ATTEMPT_OUTCOME_SUCCEEDED]
        assert done.result.attempt == 2
        await cluster.check()


@pytest.mark.parametrize(
    "num_leases",
    [
        pytest.param(0.0, marks=pytest.mark.long),
        pytest.param(0.5, marks=pytest.mark.slow),
        pytest.param(0.9, marks=pytest.mark.long),
        pytest.param(1.1, marks=pytest.mark.long),
        pytest.param(3.0, marks=pytest.mark.slow),
    ],
)
async def test_a_host_that_stands_still_for_a_while(tmp_path: Path, num_leases: float) -> None:
    """F21: within its lease nothing is queued again, beyond it the job moves; in between it may be either."""
    async with fault_cluster(tmp_path, hosts=2, lease_seconds=3) as cluster:
        job = await running(cluster, await cluster.submit(ToySpec(num_steps=60, step_seconds=0.02)), step=1)
        cluster.watch(job.name)
        victim = holder(cluster, job)
        victim.stop()
        await CLOCK.sleep(num_leases * cluster.lease_seconds)
        victim.cont()
        done = await cluster.ended(job.name)
        if num_leases <= 0.5:
            assert outcomes(done) == [ATTEMPT_OUTCOME_SUCCEEDED]
        if num_leases >= 3:
            assert outcomes(done) == [ATTEMPT_OUTCOME_LOST, ATTEMPT_OUTCOME_SUCCEEDED]
        await cluster.check()


# F22.


@pytest.mark.slow
@pytest.mark.parametrize("is_within", [True, False], ids=["within-its-lease", "beyond-its-lease"])
async def test_a_host_that_is_restarted_goes_on_where_it_was(tmp_path: Path, is_within: bool) -> None:
    """F22, P14: a new attempt begins at the last checkpoint on its disk; each step is counted."""
    async with fault_cluster(tmp_path) as cluster:
        job = await running(cluster, await cluster.submit(TOY), step=5)
        cluster.watch(job.name)
        cluster.hosts[0].kill9_tree()
        if not is_within:
            await cluster.until(job.name, lambda one: one.attempts[0].outcome == ATTEMPT_OUTCOME_LOST)
        cluster.hosts[0].start()
        done = await cluster.ended(job.name)
        assert outcomes(done) == [ATTEMPT_OUTCOME_LOST, ATTEMPT_OUTCOME_SUCCEEDED]
        counted = Counter(one.step for one in steps_of(cluster, done))
        assert sorted(counted) == list(range(1, TOY.num_steps + 1))
        # Of an interval of one step, the one whose save the kill broke off.
        assert counted.total() - TOY.num_steps <= 1
        [repeated] = repeated_steps(done, steps_of(cluster, done))
        figures.record(row="F22", name="work_repeated", steps=repeated, interval=1)
        await cluster.check()


# F23.


@pytest.mark.slow
async def test_a_starved_machine_is_not_taken_for_dead(tmp_path: Path) -> None:
    """F23: four busy loops beside two attempts; heartbeats come from a process of their own."""
    async with fault_cluster(tmp_path, slots=2) as cluster:
        jobs = await submit_many(cluster, 2, TOY)
        for job in jobs:
            await running(cluster, job)
        await BURNERS.light(cluster)
        try:
            for job in jobs:
                assert outcomes(await cluster.ended(job)) == [ATTEMPT_OUTCOME_SUCCEEDED]
        finally:
            await BURNERS.quench(cluster)
        await cluster.check()


# F25.


def tear(folder: Path) -> None:
    """As a power cut on a disk that lies."""
    path = folder / TOY_STATE
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder: Path) -> None:
    """One bit."""
    path = folder / TOY_STATE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def steal(folder: Path) -> None:
    """As if it were of another job."""
    path = next(path for path in folder.rglob("*.json") if "projects/demo/jobs/" in path.read_text())
    path.write_text(path.read_text().replace("projects/demo/jobs/", "projects/demo/jobs/x"))


def outdate(folder: Path) -> None:
    """As if a later version had written it."""
    path = folder / "checkpoint.json"
    path.write_text(path.read_text().replace('"format":1', '"format":99').replace('"format": 1', '"format": 99'))


def checkpoints_of(folder: Path, job: Job) -> list[Path]:
    """Of one job on the first host's disk, the newest last."""
    return sorted(folder.glob(f"h1/home/hosts/h1/checkpoints/*{job.name.rpartition('/')[2]}*/[0-9]*"))


@pytest.mark.parametrize("damage", [tear, flip, steal, outdate], ids=lambda damage: str(damage.__name__))
@pytest.mark.parametrize(
    "is_all",
    [pytest.param(False, id="newest", marks=pytest.mark.slow), pytest.param(True, id="all", marks=pytest.mark.long)],
)
async def test_a_checkpoint_that_is_not_whole_is_skipped(
    tmp_path: Path, damage: Callable[[Path], None], is_all: bool
) -> None:
    """F25, P15: for the one before, or for the gateway's; the job ends as if nothing had been."""
    async with fault_cluster(tmp_path) as cluster:
        whole = await cluster.ended(await cluster.submit(TOY))
        job = await running(cluster, await cluster.submit(TOY), step=8)
        cluster.watch(job.name)
        cluster.hosts[0].kill9_tree()
        # One that was being deleted when the host died is not whole anyway.
        kept = [folder for folder in checkpoints_of(tmp_path, job) if (folder / TOY_STATE).exists()]
        assert len(kept) >= 2
        for folder in kept if is_all else kept[-1:]:
            damage(folder)
        cluster.hosts[0].start()
        done = await cluster.ended(job.name)
        assert done.state == JOB_STATE_SUCCEEDED
        assert what_was_learned(done) == what_was_learned(whole)
        assert "is skipped" in cluster.hosts[0].log()
        assert min(one.step for one in steps_of(cluster, done) if one.attempt == 2) > 1
        await cluster.check()
        figures.record(row="F25", name="bit_equal", equal=1, of=1)


# F28.


@pytest.mark.slow
async def test_all_hosts_die_and_one_comes_back(tmp_path: Path) -> None:
    """F28: every job finishes."""
    async with fault_cluster(tmp_path, hosts=4) as cluster:
        jobs = await submit_many(cluster, 6, TOY)
        for job in jobs:
            cluster.watch(job)
        await eventually(lambda: sum(map(len, read_steps(cluster.plan.steps_dir).values())) > 20, timeout_seconds=60)
        for host in cluster.hosts:
            host.kill9_tree()
        await cluster.hosts[2].restart()
        for job in jobs:
            assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
        dead = tuple(others(cluster, cluster.hosts[2]))
        await cluster.check(may_be_down=dead)
