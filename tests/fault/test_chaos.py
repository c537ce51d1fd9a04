"""Chaos: faults of every type, drawn by a seed, one after the other without waiting for the last to be over (F53).

A failure prints its seed and what was done when. To try it again: FAULT_SEED=N and the same test. The timing of the
machine is no part of the seed, so that a failure may need several tries to come back; what was drawn is the same.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headway.contract.limits import RETRY_MAX_MAX
from headway.testing.toy_recipe import ToySpec
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.faults import FAULTS, Fault, revive
from tests.fault.link_acts import heal_links
from tests.fault.workload import submit_until_acked

PAUSE_SECONDS = 0.5
SHORT_SECONDS = 30.0
LONG_SECONDS = 600.0
NUM_JOBS = 40
DRAIN_LIMIT_SECONDS = 100.0
"""20 s on a quiet machine. A job that was hit often waits longer before each further try."""

DRAWN = tuple(fault for fault in FAULTS if fault.heal in (revive, heal_links))
WEIGHTS = tuple(1 if fault.name.startswith(("everything", "all-")) else 6 for fault in DRAWN)
"""What hits everything at once leaves little for the others to hit."""


@dataclass(slots=True)
class Chaos:
    """The faults of one run."""

    cluster: FaultCluster
    done: list[str] = field(default_factory=list)

    async def rage(self, seconds: float) -> None:
        """Inject a fault every half second; what has ended starts again, and what stands still or is cut goes on."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while (now := loop.time() - begin) < seconds:
            [fault] = self.cluster.random.choices(DRAWN, WEIGHTS)
            self.done.append(f"{now:7.2f} s {fault.name}")
            await self._inject(fault)
            await asyncio.sleep(PAUSE_SECONDS * self.cluster.random.uniform(0.5, 1.5))
            self._repair()

    async def _inject(self, fault: Fault) -> None:
        # A victim may be dead already.
        with suppress(ProcessLookupError, AssertionError):
            await fault.inject(self.cluster)

    def _repair(self) -> None:
        """Some of it, so that faults meet each other."""
        for proc in self.cluster.procs:
            if self.cluster.random.random() < 0.8:
                proc.cont()
                if not proc.is_alive:
                    proc.start()
        for link in self.cluster.links.values():
            if self.cluster.random.random() < 0.5:
                link.heal()

    def story(self) -> str:
        """For whoever has to find out."""
        return f"FAULT_SEED={figures.seed()}, and {len(self.done)} faults:\n" + "\n".join(self.done)


async def submit_all(cluster: FaultCluster, num_jobs: int, over_seconds: float) -> list[str]:
    """Submit jobs until each is acknowledged, spread over a time, each watched from then on."""

    async def one(number: int) -> str:
        await asyncio.sleep(over_seconds * number / num_jobs)
        spec = ToySpec(num_steps=cluster.random.randint(5, 80), step_seconds=0.02).job_spec()
        # A child that is killed again and again has used up the usual number of tries within seconds.
        spec.policies.retry_max = RETRY_MAX_MAX
        job = await submit_with_patience(cluster, spec)
        cluster.watch(job)
        return job

    return list(await asyncio.gather(*(one(number) for number in range(num_jobs))))


async def submit_with_patience(cluster: FaultCluster, spec: JobSpec) -> str:
    """As a client that has time: what hits everything, again and again, may hold it up for minutes."""
    request_id = cluster.plan.new_request_id()
    while True:
        with suppress(TimeoutError):
            return await submit_until_acked(cluster, spec, request_id=request_id)


async def survive(folder: Path, seconds: float, num_jobs: int) -> None:
    async with fault_cluster(folder, hosts=4, slots=2, links=True) as cluster:
        chaos = Chaos(cluster)
        try:
            submitting = asyncio.create_task(submit_all(cluster, num_jobs, 0.7 * seconds))
            await chaos.rage(seconds)
            await heal_links(cluster)
            begin = asyncio.get_running_loop().time()
            jobs = await submitting
            ends = Counter([(await cluster.ended(job, timeout_seconds=DRAIN_LIMIT_SECONDS)).state for job in jobs])
            drain_seconds = asyncio.get_running_loop().time() - begin
            await cluster.check()
        finally:
            print(chaos.story())
        assert ends == {JOB_STATE_SUCCEEDED: num_jobs}
        figures.record(row="F53", name="jobs", acked=len(jobs), lost=0, kills=len(chaos.done))
        figures.record(row="F53", name="drained", seconds=drain_seconds)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_chaos_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """F53, P1, P5, P6, P7, P11, P20, P24: half a minute, 40 jobs, 4 hosts."""
    await survive(tmp_path, SHORT_SECONDS, NUM_JOBS)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_ten_minutes_of_chaos_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    """F53, for as long as it takes to drink a coffee."""
    await survive(tmp_path, LONG_SECONDS, 10 * NUM_JOBS)


def test_what_is_drawn_is_nearly_the_whole_table() -> None:
    """F53: only what needs an end of its own, such as busy loops, is left out."""
    assert {fault.name for fault in FAULTS} - {fault.name for fault in DRAWN} <= {"cpu-starved"}
    assert [fault.name for fault in DRAWN if fault.is_available() is not None] == []
