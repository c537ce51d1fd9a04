"""What the scheduler promises about pauses: a real process, a real nats-server, hosts that speak over real streams."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.errors import StaleAttempt
from headway.contract.pausing import request_pause, request_resume
from headway.runtime.clock import SystemClock
from headway.testing.builders import a_spec
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.v1.job_specs_pb2 import Policies
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptStop
from tests.contract.scheduler_process import LEASE_SECONDS, Deployment, deployed

CLOCK = SystemClock()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


async def pause(world: Deployment, job_id: str) -> None:
    await world.records.change(job_id, lambda record: request_pause(record, message="night", now=CLOCK.now()))


async def running(host: FakeHost) -> AttemptOrder:
    """The next order, once the scheduler knows that the host has begun it; before, a pause takes it back at once."""
    order = await host.next_order(timeout_seconds=20)
    await host.heard(timeout_seconds=20)
    return order


async def resume(world: Deployment, job_id: str) -> None:
    await world.records.change(job_id, lambda record: request_resume(record, message="morning", now=CLOCK.now()))


async def test_a_running_job_is_stopped_paused_and_resumed_as_its_next_attempt(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(policies=Policies(retry_max=0)))
        order = await running(host)
        await pause(world, job_id)
        stop = await host.next_stop()

        assert (stop.job, stop.attempt, stop.reason) == (order.job, 1, AttemptStop.REASON_PAUSE)
        job = await world.until(job_id, lambda job: job.state == JOB_STATE_PAUSED)
        assert (job.host, job.attempts[0].outcome) == ("", ATTEMPT_OUTCOME_PAUSED)
        await eventually(lambda: not host.attempts)

        await resume(world, job_id)
        assert (await host.next_order()).attempt == 2
        await world.commit(job_id, 2)
        told = [entry[0] for entry in await world.until_events(job_id, 7)]
        assert told == ["queued", "started", "paused", "resumed", "started", "evaluated", "completed"]


async def test_a_paused_job_is_given_to_nobody(world: Deployment) -> None:
    paused = await world.submit()
    await pause(world, paused)
    other = await world.submit()
    async with world.host() as host:
        assert (await host.next_order()).job.endswith(other), "the host takes what is not paused"
        assert (await world.job(paused)).state == JOB_STATE_PAUSED
        await resume(world, paused)
        assert (await host.next_order()).job.endswith(paused)


async def test_a_job_resumed_while_its_host_stops_it_goes_on_by_itself(world: Deployment) -> None:
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await running(host)
        await pause(world, job_id)
        await host.next_stop()
        await resume(world, job_id)
        assert (await world.job(job_id)).state == JOB_STATE_PAUSING
        host.report(order, ATTEMPT_OUTCOME_PAUSED)

        assert (await host.next_order()).attempt == 2
        told = [entry[0] for entry in await world.until_events(job_id, 5)]
        assert told == ["queued", "started", "paused", "resumed", "started"]


async def test_a_job_of_a_dead_host_is_paused_when_its_lease_ends_and_costs_it_nothing(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        await running(host)
        host.fall_silent()
        await pause(world, job_id)

        job = await world.until(job_id, lambda job: job.state == JOB_STATE_PAUSED, timeout_seconds=LEASE_SECONDS + 10)
        assert job.transitions[-1].reason == "HOST_LOST"
        assert (await world.records.get(job_id)).value.num_losses == 0


async def test_a_scheduler_that_is_killed_in_the_middle_of_a_pause_ends_it_after_its_restart(world: Deployment) -> None:
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await running(host)
        await world.kill()
        await pause(world, job_id)
        assert (await world.job(job_id)).state == JOB_STATE_PAUSING
        await world.start()

        assert (await host.next_stop(timeout_seconds=30)).reason == AttemptStop.REASON_PAUSE
        host.report(order, ATTEMPT_OUTCOME_PAUSED)
        job = await world.until(job_id, lambda job: job.state == JOB_STATE_PAUSED)
        assert [one.event for one in job.transitions] == ["submitted", "claimed", "pause_requested", "paused"]


async def test_a_late_word_of_a_paused_attempt_does_not_end_the_next_one(world: Deployment) -> None:
    """P9: the host repeats that attempt 1 has paused, while attempt 2 is to be paused and still runs."""
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        first = await running(host)
        await pause(world, job_id)
        await host.next_stop()
        host.report(first, ATTEMPT_OUTCOME_PAUSED)
        await world.until(job_id, lambda job: job.state == JOB_STATE_PAUSED)
        await resume(world, job_id)
        second = await running(host)
        await pause(world, job_id)
        assert (await host.next_stop()).attempt == 2

        host.report(first, ATTEMPT_OUTCOME_PAUSED)
        await eventually(lambda: (first.job, 1) not in host.attempts)
        job = await world.job(job_id)
        assert (job.state, job.attempt) == (JOB_STATE_PAUSING, 2), "released, and nothing else"
        with pytest.raises(StaleAttempt):
            await world.commit(job_id, 1)
        host.report(second, ATTEMPT_OUTCOME_PAUSED)
        await world.until(job_id, lambda job: job.state == JOB_STATE_PAUSED)


async def test_a_result_that_comes_while_pausing_is_kept(world: Deployment) -> None:
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await running(host)
        await pause(world, job_id)
        await host.next_stop()
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await world.commit(job_id, 1)

        job = await world.until_over(job_id)
        assert (job.state, job.transitions[-1].reason) == (JOB_STATE_SUCCEEDED, "FINISHED_FIRST")
        await eventually(lambda: not host.attempts)


async def test_a_cancellation_while_pausing_cancels(world: Deployment) -> None:
    """P21."""
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await running(host)
        await pause(world, job_id)
        await host.next_stop()
        await world.cancel(job_id)
        assert (await host.next_stop()).reason == AttemptStop.REASON_CANCEL
        host.report(order, ATTEMPT_OUTCOME_PAUSED)

        assert (await world.until_over(job_id)).state == JOB_STATE_CANCELLED
        assert [entry[0] for entry in await world.until_events(job_id, 3)] == ["queued", "started", "cancelled"]


async def test_a_pause_that_nobody_asked_for_is_a_loss(world: Deployment) -> None:
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        host.report(await host.next_order(), ATTEMPT_OUTCOME_PAUSED)
        assert (await host.next_order()).attempt == 2
        job = await world.until(job_id, lambda job: job.state == JOB_STATE_RUNNING)
        assert [one.reason for one in job.transitions if one.event == "moved"] == ["HOST_GAVE_UP"]
        assert (await world.records.get(job_id)).value.num_losses == 1
