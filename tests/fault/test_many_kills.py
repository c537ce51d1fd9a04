"""Many jobs over many kills (F53, P1, P5, P7): none lost, none without a result, none with two.

The jobs are as small as jobs can be, so that the kills fall into every part of a life: admission, claim, start, result,
commit, events. What is killed, when, and for how long it stays away, is drawn from the seed of the run.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from headway.contract.states import is_terminal
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Job
from tests.fault import figures
from tests.fault.checker import COMMITTED
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.workload import submit_until_acked

TINY = ToySpec(num_steps=1, resumable=False)
IN_QUEUE = 100
SUBMITTERS = 6
LONGEST_WAIT_SECONDS, LONGEST_ABSENCE_SECONDS = 0.5, 0.3
DRAIN_SECONDS = 300.0


@pytest.mark.slow
async def test_no_job_is_lost_over_a_few_kills(tmp_path: Path) -> None:
    await _jobs_over_kills(tmp_path, num_jobs=200, num_kills=5)


@pytest.mark.long
@pytest.mark.timeout(2400)
async def test_no_job_is_lost_over_two_hundred_kills(tmp_path: Path) -> None:
    try:
        await _jobs_over_kills(tmp_path, num_jobs=10_000, num_kills=200)
    finally:
        # Some gigabytes, which pytest would keep for three runs.
        shutil.rmtree(tmp_path, ignore_errors=True)


async def _jobs_over_kills(folder: Path, *, num_jobs: int, num_kills: int) -> None:
    async with fault_cluster(folder, hosts=3, slots=4) as cluster:
        names: list[str] = []
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(_submit(cluster, names, num_jobs))
            kills = group.create_task(_kill(cluster, lambda: len(names) / num_jobs, num_kills))
        await cluster.revive()
        await eventually(lambda: _is_over(cluster), timeout_seconds=DRAIN_SECONDS, interval_seconds=0.5)
        seconds = time.perf_counter() - begin
        await cluster.check()
        jobs = {job.name: job async for job in cluster.client().jobs.list(page_size=1000)}
    _count(names, jobs, kills.result(), seconds)


async def _submit(cluster: FaultCluster, names: list[str], num_jobs: int) -> None:
    """Keep the queue filled, each submission repeated until it is acknowledged."""
    limit = asyncio.Semaphore(SUBMITTERS)

    async def one() -> None:
        async with limit:
            names.append(await submit_until_acked(cluster, TINY))

    while len(names) < num_jobs:
        room = 0
        with suppress(RemoteError):
            room = IN_QUEUE - await _num_waiting(cluster)
        await asyncio.gather(*(one() for _ in range(max(0, min(room, num_jobs - len(names))))))
        await asyncio.sleep(0.2)


async def _kill(cluster: FaultCluster, share_submitted: Callable[[], float], num_kills: int) -> dict[str, int]:
    """Kill one process after the other, spread over the submissions; returns how often which was killed."""
    draw, kills = cluster.random, dict.fromkeys((proc.name for proc in cluster.procs), 0)
    for number in range(num_kills):
        await _until_submitted(share_submitted, number / num_kills)
        await asyncio.sleep(draw.uniform(0, LONGEST_WAIT_SECONDS))
        victim = draw.choice(cluster.procs)
        kills[victim.name] += 1
        if draw.random() < 0.5:
            victim.kill9()
        else:
            victim.kill9_tree()
        await asyncio.sleep(draw.uniform(0, LONGEST_ABSENCE_SECONDS))
        await cluster.revive()
    return kills


async def _until_submitted(share_submitted: Callable[[], float], share: float) -> None:
    await eventually(lambda: share_submitted() >= share, timeout_seconds=DRAIN_SECONDS, interval_seconds=0.02)


async def _num_waiting(cluster: FaultCluster) -> int:
    return len([job async for job in cluster.client().jobs.list(filter_text="state = QUEUED", page_size=1000)])


async def _is_over(cluster: FaultCluster) -> bool:
    if await _num_waiting(cluster):
        return False
    jobs = cluster.client().jobs.list(page_size=1000)
    return all([is_terminal(job.state) async for job in jobs])


def _count(names: list[str], jobs: dict[str, Job], kills: dict[str, int], seconds: float) -> None:
    found = [jobs[name] for name in names if name in jobs]
    commits = [sum(one.event == COMMITTED for one in job.transitions) for job in found]
    lost = len(names) - len(found) + sum(job.state != JOB_STATE_SUCCEEDED for job in found)
    numbers = {
        "acked": len(names),
        "lost": lost,
        "kills": sum(kills.values()),
        "models_missing": commits.count(0),
        "models_double": sum(number > 1 for number in commits),
    }
    figures.record(row="F53", name="jobs", **numbers)
    attempts = sum(job.attempt for job in found)
    figures.record(row="F53", name="many_kills", seconds=round(seconds), attempts=attempts, **kills)
    assert numbers["models_missing"] == numbers["models_double"] == lost == 0, numbers
