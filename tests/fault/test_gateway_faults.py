"""The gateway killed, frozen, away and told to stop: F1, F4, F5, F6, F12."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from headway.contract.states import is_terminal
from headway.runtime.clock import SystemClock
from headway.runtime.keys import read_key_file
from headway.testing.builders import a_host
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.testing.toy_recipe import TOY_KIND, ToySpec
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_SUCCEEDED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.history import Outcome
from tests.fault.process import Proc
from tests.fault.workload import Submitters, jittered, submit_many

QUICK = ToySpec(num_steps=1)
CLOCK = SystemClock()
NUM_LEASED = 200
DRAIN_LIMIT_SECONDS = 10.0
"""P33."""


def fake_host(cluster: FaultCluster, host_id: str, num_slots: int) -> FakeHost:
    """A host that takes every order and never ends one."""
    host = a_host(host_id, num_slots=num_slots, kinds=(TOY_KIND,))
    key = read_key_file(cluster.plan.key_path)
    return FakeHost(cluster.schedulers[0].address, host, api_key=key)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "num_kills", [4, pytest.param(20, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.long)]
)
async def test_what_was_acknowledged_survives_kills_at_random_instants(tmp_path: Path, num_kills: int) -> None:
    """F1, P1, P4, P5: eight clients submit all the time, half of them never repeat what broke."""
    async with fault_cluster(tmp_path, slots=2, interval_steps=0) as cluster:
        pause = jittered(0.6)
        async with (
            Submitters(cluster, QUICK, 4, pause_seconds=pause) as patient,
            Submitters(cluster, QUICK, 4, pause_seconds=pause, is_repeating=False) as hasty,
        ):
            for _ in range(num_kills):
                await CLOCK.sleep(cluster.random.uniform(0, 0.5))
                await cluster.gateway.restart()
        for job in [*patient.jobs, *hasty.jobs]:
            assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
        await cluster.check()
        num_unknown = len(cluster.history.of("create", Outcome.UNKNOWN))
        figures.record(
            row="F1",
            name="jobs",
            acked=len(patient.jobs) + len(hasty.jobs),
            lost=0,
            kills=num_kills,
            models_missing=0,
            models_double=0,
            unknown=num_unknown,
        )


@pytest.mark.slow
async def test_a_gateway_that_stands_still_costs_no_job_its_attempt(tmp_path: Path) -> None:
    """F4, P17: three leases long; hosts train on, nothing is queued again, and the results wait for it."""
    async with fault_cluster(tmp_path, slots=2) as cluster:
        jobs = await submit_many(cluster, 2, ToySpec(num_steps=60, step_seconds=0.02))
        for job in jobs:
            cluster.watch(job)
            await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        cluster.gateway.stop()
        await CLOCK.sleep(3 * cluster.lease_seconds)
        cluster.gateway.cont()
        for job in jobs:
            done = await cluster.ended(job)
            assert [one.outcome for one in done.attempts] == [ATTEMPT_OUTCOME_SUCCEEDED]
        await cluster.check()


@pytest.mark.slow
async def test_results_wait_for_a_gateway_that_is_away(tmp_path: Path) -> None:
    """F5, P11: four jobs finish while there is no gateway; all four are saved when it is back."""
    async with fault_cluster(tmp_path, hosts=2, slots=2) as cluster:
        jobs = await submit_many(cluster, 4, ToySpec(num_steps=20, step_seconds=0.05))
        for job in jobs:
            cluster.watch(job)
            await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        cluster.gateway.kill9()
        sealed = "home/hosts/*/outbox/results/*/commit.pb"
        await eventually(
            lambda: sum(len(list(host.folder.glob(sealed))) for host in cluster.hosts) == len(jobs), timeout_seconds=30
        )
        # Longer than a lease, which is the scheduler's and not the gateway's to keep.
        await CLOCK.sleep(1.5 * cluster.lease_seconds)
        await cluster.gateway.restart()
        for job in jobs:
            done = await cluster.ended(job)
            assert [one.outcome for one in done.attempts] == [ATTEMPT_OUTCOME_SUCCEEDED]
        await cluster.check()


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param("gateway", marks=pytest.mark.long),
        pytest.param("gateway-scheduler", marks=pytest.mark.long),
        pytest.param("gateway-scheduler-nats", marks=pytest.mark.slow),
    ],
)
async def test_a_restart_with_many_running_jobs_fails_none_of_them(tmp_path: Path, victims: str) -> None:
    """F6, P17, P18: two hundred jobs are held by hosts when the control plane is killed; each keeps its attempt."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(fault_cluster(tmp_path, hosts=0))
        num_slots = NUM_LEASED // 4
        for number in range(4):
            await stack.enter_async_context(fake_host(cluster, f"fake{number}", num_slots))
        await eventually(lambda: _has_host(cluster), timeout_seconds=30, interval_seconds=0.1)
        jobs = await submit_many(cluster, NUM_LEASED, QUICK, submitters=8)
        for job in jobs:
            await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        hit = [proc for proc in _control_plane(cluster) if proc.plan.name.partition("-")[0] in victims.split("-")]
        for proc in hit:
            proc.kill9()
        await CLOCK.sleep(1.5 * cluster.lease_seconds)
        await cluster.start()
        # Long enough for every lease that was not renewed to be over.
        await CLOCK.sleep(2 * cluster.lease_seconds)
        for job in jobs:
            found = await cluster.get(job)
            assert (found.state, found.attempt, len(found.attempts)) == (JOB_STATE_RUNNING, 1, 1)
        await cluster.check()


def _control_plane(cluster: FaultCluster) -> list[Proc]:
    return [cluster.nats, cluster.gateway, *cluster.schedulers]


async def _has_host(cluster: FaultCluster) -> bool:
    return len((await cluster.client().system.hosts()).hosts) == 4


async def test_a_gateway_that_is_told_to_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    """F12, P33: it ends in order within ten seconds, and what it has acknowledged is there."""
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(fault_cluster(tmp_path, hosts=0))
        await stack.enter_async_context(fake_host(cluster, "fake", 1))
        await eventually(lambda: _is_admitted(cluster), timeout_seconds=30, interval_seconds=0.1)
        watched = await cluster.submit(QUICK)
        cluster.watch(watched)
        submitters = Submitters(cluster, QUICK, num_clients=8, pause_seconds=jittered(0.01))
        seconds: list[float] = []
        async with submitters:
            for _ in range(2):
                await eventually(lambda: len(submitters.jobs) > 20 * (1 + len(seconds)), timeout_seconds=30)
                begin = time.perf_counter()
                assert await cluster.gateway.terminate() == 0
                seconds.append(time.perf_counter() - begin)
                await cluster.gateway.restart()
        assert max(seconds) < DRAIN_LIMIT_SECONDS
        await cluster.cancel(watched)
        for job in submitters.jobs:
            assert not is_terminal((await cluster.get(job)).state)
        await cluster.check()
        figures.record(row="F12", name="drain", seconds=seconds, acked=len(submitters.jobs), lost=0)


async def _is_admitted(cluster: FaultCluster) -> bool:
    return len((await cluster.client().system.hosts()).hosts) == 1
