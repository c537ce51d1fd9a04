"""What the scheduler promises when hosts, nats-server or it itself stop, die and come back.

The promises P6, P13, P16-P18, P25 and P33 of RELIABILITY.md are named where they are held.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.errors import StaleAttempt
from headway.contract.subjects import JOBS
from headway.testing.builders import a_host, a_record, a_spec
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_HOST,
)
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
)
from headway.v1.scheduler_service_pb2 import AttemptStop
from tests.contract.scheduler_process import LEASE_SECONDS, Deployment, deployed


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


async def test_a_silent_host_s_attempt_moves_and_the_stale_one_is_told(world: Deployment) -> None:
    """P13 and P16."""
    async with world.host(a_host("anton")) as silent:
        job_id = await world.submit()
        await silent.next_order()
        silent.fall_silent()
        began = asyncio.get_running_loop().time()
        async with world.host(a_host("berta")) as other:
            order = await other.next_order(timeout_seconds=LEASE_SECONDS + 3)
            took = asyncio.get_running_loop().time() - began
            assert order.attempt == 2
            assert took < LEASE_SECONDS + 3

            silent.come_back()
            stop = await silent.next_stop()
            assert (stop.attempt, stop.reason) == (1, AttemptStop.REASON_STALE)

            job = await world.job(job_id)
            assert (job.state, job.attempt, job.host) == (JOB_STATE_RUNNING, 2, "hosts/berta")
            assert job.attempts[0].outcome == ATTEMPT_OUTCOME_LOST
            assert job.failure.reason == "HOST_LOST"


async def test_a_host_that_is_silent_for_less_than_its_lease_keeps_its_attempt(world: Deployment) -> None:
    """F21."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        for _ in range(3):
            host.fall_silent()
            await asyncio.sleep(0.6 * LEASE_SECONDS)
            host.come_back()
            await asyncio.sleep(0.2)

        assert (await world.job(job_id)).attempt == 1


async def test_an_attempt_that_a_restarted_host_does_not_know_moves_at_once(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
    async with world.host(a_host(boot_id="boot-2")) as again:
        order = await again.next_order(timeout_seconds=LEASE_SECONDS / 2)

        assert order.attempt == 2
        assert (await world.job(job_id)).attempts[0].failure.reason == "HOST_RESTARTED"


async def test_an_attempt_that_a_host_gives_up_moves(world: Deployment) -> None:
    async with world.host() as host:
        await world.submit()
        order = await host.next_order()
        host.report(order, ATTEMPT_OUTCOME_CANCELLED)

        assert (await host.next_order()).attempt == 2


async def test_a_late_commit_of_a_lost_attempt_is_refused(world: Deployment) -> None:
    """P16: the fence is in the record; whoever commits needs the current number."""
    async with world.host(a_host("anton")) as silent:
        job_id = await world.submit()
        order = await silent.next_order()
        silent.fall_silent()
        async with world.host(a_host("berta")) as other:
            await other.next_order(timeout_seconds=LEASE_SECONDS + 3)

            with pytest.raises(StaleAttempt):
                await world.commit(job_id, order.attempt, "hosts/anton")
            await world.commit(job_id, 2, "hosts/berta")
            assert (await world.job(job_id)).state == JOB_STATE_SUCCEEDED


async def test_a_scheduler_that_was_away_for_two_leases_takes_no_attempt_away(world: Deployment) -> None:
    """P17 and P18."""
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        await world.kill()
        await asyncio.sleep(2 * LEASE_SECONDS)
        await world.start()
        # It is slow to call again, slower than its lease, and has the time for it.
        host.fall_silent()
        await asyncio.sleep(2 * LEASE_SECONDS)
        host.come_back()
        await asyncio.sleep(1.5 * LEASE_SECONDS)

        job = await world.job(job_id)
        assert (job.state, job.attempt) == (JOB_STATE_RUNNING, 1)
        assert host.stops == []
        await world.commit(job_id, order.attempt)


@pytest.mark.slow
async def test_a_host_that_died_while_the_scheduler_was_away_is_lost_in_the_end(world: Deployment) -> None:
    """P18: not earlier than a full lease after the restart, and P6: not never."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        await world.kill()
    await asyncio.sleep(2 * LEASE_SECONDS)
    await world.start()
    await asyncio.sleep(0.7 * LEASE_SECONDS)
    assert (await world.job(job_id)).state == JOB_STATE_RUNNING

    job = await world.until(job_id, lambda job: job.state == JOB_STATE_QUEUED)
    assert job.failure.reason == "HOST_LOST"


async def test_a_scheduler_that_was_stopped_takes_no_attempt_away(world: Deployment) -> None:
    """P17, by SIGSTOP: the process does not run, and its monotonic clock does."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        for _ in range(3):
            world.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5 * LEASE_SECONDS)
            world.signal(signal.SIGCONT)
            await asyncio.sleep(0.5 * LEASE_SECONDS)

        assert (await world.job(job_id)).attempt == 1
        assert "lost" not in [what for what, _ in await world.events()]


async def test_a_nats_server_that_restarts_costs_no_attempt_and_work_goes_on(world: Deployment) -> None:
    """P17."""
    async with world.host(a_host(num_slots=8)) as host:
        job_id = await world.submit()
        await host.next_order()
        await world.nats.kill()
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        await world.nats.start()
        later = await world.submit()
        assert (await host.next_order(timeout_seconds=10)).job.endswith(later)

        assert (await world.job(job_id)).attempt == 1


async def test_a_fallback_does_not_follow_from_a_restart(world: Deployment) -> None:
    """A remote host counts as up until its lease ends, also right after the scheduler came back."""
    remote = a_host("remote", mode=EXECUTION_MODE_HOST)
    async with world.host(a_host("local")), world.host(remote) as host:
        await eventually(lambda: world.host_record("remote"))
        await world.kill()
        job_id = await world.submit(a_spec(mode=EXECUTION_MODE_HOST))
        await world.start()
        order = await host.next_order()

        assert order.job.endswith(job_id)
        assert (await world.job(job_id)).fallback_reason == ""


async def test_sigterm_ends_it_in_order_with_hosts_connected(world: Deployment) -> None:
    """P33."""
    async with world.host() as host:
        await world.submit()
        await host.next_order()
        began = asyncio.get_running_loop().time()

        assert await world.stop() == 0
        assert asyncio.get_running_loop().time() - began < 3
        assert world.run_file() is None
        assert [line for line in world.log() if line["level"] in ("error", "critical")] == []


async def test_events_come_in_order_exactly_once_however_often_the_scheduler_dies(world: Deployment) -> None:
    """P25; a kill can fall between a publish and its acknowledgement."""
    dice = random.Random(7)
    jobs: list[str] = []
    async with world.host(a_host(num_slots=8)) as host:
        working = asyncio.create_task(_finish_everything(world, host))
        for _ in range(4):
            for _ in range(5):
                jobs.append(await world.submit())
                await asyncio.sleep(dice.uniform(0, 0.02))
            await asyncio.sleep(dice.uniform(0, 0.1))
            await world.kill()
            await world.start()
        for job_id in jobs:
            await world.until_over(job_id, timeout_seconds=30)
        working.cancel()
        for job_id in jobs:
            told = await world.until_events(job_id, 4)
            assert told == [("queued", 1), ("started", 2), ("evaluated", 3), ("completed", 4)]
        assert {(await world.job(job_id)).attempt for job_id in jobs} == {1}


async def _finish_everything(world: Deployment, host: FakeHost) -> None:
    while True:
        order = await host.next_order(timeout_seconds=60)
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await world.commit(order.job.rpartition("/")[2], order.attempt)


async def test_garbage_in_the_bucket_stops_nothing(world: Deployment) -> None:
    async with world.host() as host:
        await world.bus.publish(f"{JOBS.prefix}garbage", b"\xff\xff\xff")
        await world.bus.publish(f"{JOBS.prefix}{'j' + 'a' * 25}", a_record().SerializeToString())
        job_id = await world.submit()
        await host.next_order()
        await world.until_events(job_id, 2)

        await world.kill()
        await world.start()
        another = await world.submit()
        await host.next_order()
        await world.until_events(another, 2)
        assert world.is_running
