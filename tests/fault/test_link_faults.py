"""Links that are cut, deaf one way, slow, torn or corrupting, between real processes (F30-F36).

A link that is cut says nothing: what is under way arrives when it heals, as with TCP. What gRPC itself does about it
(pings, new connections) is part of the test.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil
import pytest

from headway.contract.limits import MIB
from headway.contract.states import is_terminal
from headway.contract.subjects import JOBS
from headway.runtime.nats_bus import connect
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, Job
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultResponse
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.link import Link, Way
from tests.fault.process import Proc
from tests.fault.workload import Submitters, jittered, submit_until_acked

LASTING = ToySpec(num_steps=150, step_seconds=0.02)
SECONDS_TO_FIND_A_HOST = 10.0
"""Beyond the lease: 3 s on a quiet machine; this one may be busy."""


def links_of(cluster: FaultCluster, host: Proc) -> list[Link]:
    """Every connection of one host."""
    return [link for name, link in cluster.links.items() if name.startswith(f"{host.name}-")]


def host_of(cluster: FaultCluster, job: Job) -> Proc:
    """Which host has it."""
    return next(host for host in cluster.hosts if job.host == f"hosts/{host.name}")


def logged(host: Proc, event: str) -> list[dict[str, object]]:
    """What a host has said in these words."""
    lines = [json.loads(line) for line in host.log().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


@pytest.mark.slow
@pytest.mark.parametrize("ways", [(), (Way.UP,)], ids=["cut", "requests-lost"])
async def test_a_job_goes_on_elsewhere_while_its_host_is_not_heard(tmp_path: Path, ways: tuple[Way, ...]) -> None:
    """F30, F32, P13, P16: the host trains on, and what it then delivers is not wanted any more."""
    async with fault_cluster(tmp_path, hosts=2, links=True) as cluster:
        job = await submit_until_acked(cluster, LASTING)
        cluster.watch(job)
        first = host_of(cluster, await cluster.until(job, lambda one: one.progress.step > 10))
        cut_time = asyncio.get_running_loop().time()
        for link in links_of(cluster, first):
            link.blackhole(*ways)
        moved = await cluster.until(job, lambda one: one.attempt == 2 and one.state == JOB_STATE_RUNNING)
        seconds = asyncio.get_running_loop().time() - cut_time
        assert host_of(cluster, moved) is not first
        assert seconds <= cluster.lease_seconds + SECONDS_TO_FIND_A_HOST
        done = await cluster.ended(job)
        assert (done.state, done.result.attempt) == (JOB_STATE_SUCCEEDED, 2)
        # By now it has finished, too, and tries to deliver.
        for link in links_of(cluster, first):
            link.heal()
        cluster.history.forget_steps()
        await cluster.check()
        assert logged(first, "result committed") == []
        row = "F32" if ways else "F30"
        figures.record(
            row=row, name="recovery", leases=seconds / cluster.lease_seconds, lease_seconds=cluster.lease_seconds
        )


@pytest.mark.slow
async def test_a_host_that_hears_nothing_goes_on_and_delivers_when_the_link_heals(tmp_path: Path) -> None:
    """F31: what it says arrives, so nobody takes its job away."""
    async with fault_cluster(tmp_path, hosts=2, links=True) as cluster:
        job = await submit_until_acked(cluster, ToySpec(num_steps=100, step_seconds=0.02))
        first = host_of(cluster, await cluster.until(job, lambda one: one.progress.step > 10))
        for link in links_of(cluster, first):
            link.blackhole(Way.DOWN)
        await asyncio.sleep(3 * cluster.lease_seconds)
        assert (await cluster.get(job)).attempt == 1
        for link in links_of(cluster, first):
            link.heal()
        done = await cluster.ended(job)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1), done
        await cluster.check()


async def test_a_result_whose_acceptance_was_lost_is_delivered_again_to_no_effect(tmp_path: Path) -> None:
    """F31, P8: the record is written, the connection breaks before the answer, and the host asks again."""
    environ = {"HEADWAY_FAILPOINT": "save.s7.before=sleep(2)@1"}
    async with fault_cluster(tmp_path, links=True, gateway_environ=environ) as cluster:
        job = await submit_until_acked(cluster, ToySpec(num_steps=3))
        async with connect(cluster.plan.nats_url, "test") as bus:
            records = bus.records(JOBS, JobRecord)

            async def is_written() -> bool:
                return (await records.get(job.rpartition("/")[2])).value.job.state == JOB_STATE_SUCCEEDED

            # The gateway stands still now, just before it answers, so the test asks the store.
            await eventually(is_written, timeout_seconds=30, interval_seconds=0.01)
        cluster.links["h1-gateway"].reset()
        [host] = cluster.hosts
        await eventually(lambda: logged(host, "result committed"), timeout_seconds=30)
        [committed] = logged(host, "result committed")
        assert committed["disposition"] == CommitResultResponse.DISPOSITION_DUPLICATE
        await cluster.check()


@pytest.mark.slow
async def test_a_slow_link_costs_no_lease(tmp_path: Path) -> None:
    """F34: 50 kB/s and 300 ms, with a result of half a megabyte behind it, takes many leases."""
    async with fault_cluster(tmp_path, links=True, lease_seconds=2.0) as cluster:
        for name, link in cluster.links.items():
            if name.startswith("h1-"):
                link.bytes_per_second, link.delay_seconds = 50_000, 0.3
        job = await submit_until_acked(cluster, ToySpec(num_steps=10, num_bytes=500_000, noise=True))
        done = await cluster.ended(job, timeout_seconds=100)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1), done
        await cluster.check()


@pytest.mark.slow
async def test_a_storm_of_resets_loses_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    """F35: every link is torn every 100 ms for five seconds, in an order of its own each time."""
    async with fault_cluster(tmp_path, hosts=2, links=True) as cluster:
        async with Submitters(cluster, num_clients=2, pause_seconds=jittered(0.3)) as submitters:
            await eventually(lambda: len(submitters.jobs) >= 4, timeout_seconds=30)
            before = {proc.name: measured(proc) for proc in cluster.procs}
            for _ in range(50):
                links = list(cluster.links.values())
                cluster.random.shuffle(links)
                for link in links:
                    link.reset()
                    await asyncio.sleep(0.1 / len(links))
        for job in submitters.jobs:
            assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
        await cluster.check()
        grown = {proc.name: measured(proc) - before[proc.name] for proc in cluster.procs}
        assert [name for name, more in grown.items() if more.files > 20 or more.memory > 64 * MIB] == [], grown
        figures.record(row="F35", name="jobs", acked=len(submitters.jobs), lost=0, kills=50)


@dataclass(frozen=True, slots=True)
class Size:
    """Open files and resident bytes of a process."""

    files: int
    memory: int

    def __sub__(self, other: Self) -> "Size":
        return Size(self.files - other.files, self.memory - other.memory)


def measured(proc: Proc) -> Size:
    process = psutil.Process(proc.pid)
    return Size(process.num_fds(), process.memory_info().rss)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_flipped_bits_cost_time_and_never_a_result(tmp_path: Path) -> None:
    """F36, P7, P10: on the way of the bytes, checkpoints and all, to a real gateway."""
    async with fault_cluster(tmp_path, links=True) as cluster:
        link = cluster.links["h1-gateway"]
        link.corrupted_share = 0.05
        job = await submit_until_acked(cluster, ToySpec(num_steps=5, num_bytes=4_000_000, noise=True))
        # Until the result is through: with luck that takes few of them.
        await cluster.until(job, lambda one: link.num_corrupted >= 5 or is_terminal(one.state), timeout_seconds=100)
        assert link.num_corrupted
        link.heal()
        # A flipped length leaves both ends waiting for each other until the keepalive notices.
        done = await cluster.ended(job, timeout_seconds=120)
        assert done.state == JOB_STATE_SUCCEEDED, done
        # So may the answer to the commit, for which the host keeps its result.
        results = cluster.hosts[0].home / "hosts" / "h1" / "outbox" / "results"
        await eventually(lambda: not any(results.iterdir()), timeout_seconds=120)
        await cluster.check()


@pytest.mark.slow
async def test_a_connection_of_which_one_end_has_forgotten_is_made_anew(tmp_path: Path) -> None:
    """F35, P13: half-open, as behind a firewall that lost its table; the host is told nothing."""
    async with fault_cluster(tmp_path, hosts=2, links=True) as cluster:
        job = await submit_until_acked(cluster, LASTING)
        first = host_of(cluster, await cluster.until(job, lambda one: one.progress.step > 10))
        for link in links_of(cluster, first):
            link.forget()
        assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
        cluster.history.forget_steps()
        # Its pings are not answered, so it hangs up within a minute; the checker waits less for it.
        for link in links_of(cluster, first):
            link.reset()
        await cluster.check()
