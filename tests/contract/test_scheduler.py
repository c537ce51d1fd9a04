"""What the scheduler promises about jobs: a real process, a real nats-server, hosts that speak over real streams.

The promises P19, P21 and P30 of RELIABILITY.md are named where they are held.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.errors import Code, JobCancelled
from headway.contract.kinds import INFER, TABULAR_TRAIN
from headway.runtime.channel import open_channel
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.builders import a_host, a_spec, an_infer_spec
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    Policies,
    ResourceSpec,
)
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Failure,
    FailureClass,
)
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2 import AttemptStop, ExplainRequest, SelectModeRequest
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from tests.contract.scheduler_process import LEASE_SECONDS, Deployment, deployed


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


def broken(failure_class: "FailureClass.ValueType", reason: str = "BROKEN") -> Failure:
    return Failure(failure_class=failure_class, reason=reason, message="it broke")


async def test_a_job_goes_to_a_host_with_all_that_it_needs(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(display_name="first"))
        order = await host.next_order()

        job = await world.job(job_id)
        assert (job.state, job.attempt, job.host) == (JOB_STATE_RUNNING, 1, "hosts/anton")
        assert (order.job, order.attempt, order.kind, order.mode) == (job.name, 1, "tabular_train", job.mode)
        assert order.spec == job.spec
        assert [pinned.role for pinned in order.inputs] == ["table"]
        assert order.user_id == "ada"


async def test_a_job_that_waited_for_a_host_goes_to_the_first_that_comes(world: Deployment) -> None:
    job_id = await world.submit()
    async with world.host() as host:
        assert (await host.next_order()).job == (await world.job(job_id)).name


async def test_a_host_is_never_given_more_than_its_slots(world: Deployment) -> None:
    async with world.host(a_host(num_slots=2)) as host:
        first = await world.submit()
        for _ in range(4):
            await world.submit()
        orders = [await host.next_order(), await host.next_order()]
        with pytest.raises(TimeoutError):
            await host.next_order(timeout_seconds=0.3)

        await world.commit(first, 1)
        host.report(orders[0], ATTEMPT_OUTCOME_SUCCEEDED)
        await host.next_order()


async def test_priority_goes_first(world: Deployment) -> None:
    ordinary, urgent = await world.submit(), await world.submit(a_spec(priority=1))
    async with world.host(a_host(num_slots=1)) as host:
        assert (await host.next_order()).job.endswith(urgent)
        assert (await world.job(ordinary)).state == JOB_STATE_QUEUED


async def test_a_committed_job_is_released(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await asyncio.sleep(0.3)
        assert len(host.attempts) == 1, "the result is held until the commit is recorded"

        await world.commit(job_id, 1)
        await eventually(lambda: not host.attempts)
        assert [entry[0] for entry in await world.until_events(job_id, 4)] == [
            "queued",
            "started",
            "evaluated",
            "completed",
        ]


@pytest.mark.parametrize("failure_class", [FAILURE_CLASS_USER_INPUT, FAILURE_CLASS_FATAL])
async def test_a_failure_that_no_retry_can_help_fails_the_job(
    world: Deployment, failure_class: "FailureClass.ValueType"
) -> None:
    """P19: a USER_INPUT failure is never retried."""
    async with world.host() as host:
        job_id = await world.submit()
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED, broken(failure_class, "COLUMNS"))
        job = await world.until_over(job_id)

        assert (job.state, job.attempt) == (JOB_STATE_FAILED, 1)
        assert (job.failure.failure_class, job.failure.reason, job.failure.message) == (
            failure_class,
            "COLUMNS",
            "it broke",
        )
        await eventually(lambda: not host.attempts)


async def test_a_transient_failure_is_tried_again_until_the_budget_is_used_up(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(policies=Policies(retry_max=1)))
        for attempt in (1, 2):
            order = await host.next_order()
            assert order.attempt == attempt
            host.report(order, ATTEMPT_OUTCOME_FAILED, broken(FAILURE_CLASS_TRANSIENT))
        job = await world.until_over(job_id)

        assert job.state == JOB_STATE_FAILED
        assert job.transitions[-1].reason == "ATTEMPTS_EXHAUSTED"
        assert [entry.outcome for entry in job.attempts] == [ATTEMPT_OUTCOME_FAILED] * 2


async def test_a_path_in_a_host_s_words_is_taken_out(world: Deployment) -> None:
    """P30."""
    async with world.host() as host:
        job_id = await world.submit()
        failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="X", message="cannot read /srv/data/secret.csv")
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED, failure)

        assert (await world.until_over(job_id)).failure.message == "cannot read <path>"


async def test_a_running_job_is_stopped_and_then_cancelled(world: Deployment) -> None:
    """P21."""
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        # Before the scheduler knows that the host has begun it, a cancellation takes the order back at once.
        await host.heard()
        await world.cancel(job_id)
        stop = await host.next_stop()

        assert (stop.job, stop.attempt, stop.reason) == (order.job, 1, AttemptStop.REASON_CANCEL)
        job = await world.until_over(job_id)
        assert job.state == JOB_STATE_CANCELLED
        assert job.transitions[-1].message == "enough"
        assert job.attempts[0].outcome == ATTEMPT_OUTCOME_CANCELLED
        await eventually(lambda: not host.attempts)


async def test_a_result_that_comes_after_an_acknowledged_cancel_does_not_count(world: Deployment) -> None:
    """P21."""
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await host.next_order()
        await world.cancel(job_id)
        await host.next_stop()
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        with pytest.raises(JobCancelled):
            await world.commit(job_id, 1)

        assert (await world.until_over(job_id)).state == JOB_STATE_CANCELLED


async def test_a_cancelled_job_of_a_dead_host_is_cancelled_when_its_lease_ends(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        host.fall_silent()
        await world.cancel(job_id)

        assert (await world.until_over(job_id, timeout_seconds=LEASE_SECONDS + 2)).state == JOB_STATE_CANCELLED


async def test_a_fallback_is_recorded_and_told(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(mode=EXECUTION_MODE_HOST))
        assert (await host.next_order()).mode == EXECUTION_MODE_LOCAL

        job = await world.job(job_id)
        assert job.mode == EXECUTION_MODE_LOCAL
        assert "no remote trainer host" in job.fallback_reason


async def test_the_default_mode_changes_at_run_time_and_is_kept(world: Deployment) -> None:
    remote = a_host("remote", mode=EXECUTION_MODE_HOST)
    async with world.host(a_host("local")) as local, world.host(remote) as host:
        await world.submit()
        await local.next_order()
        await world.set_default_mode(EXECUTION_MODE_HOST)
        await eventually(lambda: any(line.get("mode") == "host" for line in world.log()))
        await world.submit()
        await host.next_order()
        await world.submit(a_spec(mode=EXECUTION_MODE_LOCAL))
        await local.next_order()

        await world.kill()
        await world.start()
        await world.submit()
        await host.next_order()


async def test_the_mode_given_at_start_is_the_default(tmp_path: Path) -> None:
    async with deployed(tmp_path, TRAINING_DEFAULT_MODE="host") as world:
        remote = a_host("remote", mode=EXECUTION_MODE_HOST)
        async with world.host(a_host("local")), world.host(remote) as host:
            await eventually(lambda: world.host_record("remote"))
            job_id = await world.submit()
            await host.next_order()

            assert (await world.job(job_id)).mode == EXECUTION_MODE_HOST


async def test_a_job_that_requires_a_gpu_waits_for_one(world: Deployment) -> None:
    async with world.host(a_host("cpu")):
        job_id = await world.submit(a_spec(resources=ResourceSpec(require_gpu=True)))
        told = await explain(world, job_id)
        assert "requires a GPU" in told.summary
        assert [(verdict.host, verdict.reason) for verdict in told.verdicts] == [("hosts/cpu", "NO_GPU")]

        async with world.host(a_host("gpu", gpus=("NVIDIA T4",))) as host:
            assert (await host.next_order()).job.endswith(job_id)


async def explain(world: Deployment, job_id: str) -> ExplainJobResponse:
    async with open_channel(world.address, api_key=world.key) as channel:
        request = ExplainRequest(job=f"projects/demo/jobs/{job_id}")

        async def ask() -> ExplainJobResponse | None:
            response = await answer(SchedulerServiceStub(channel).Explain(request, timeout=5))
            return response if response.verdicts else None

        found = await eventually(ask)
        assert found is not None
        return found


async def test_a_mode_can_be_asked_for_without_a_job(world: Deployment) -> None:
    async with open_channel(world.address, api_key=world.key) as channel:
        stub = SchedulerServiceStub(channel)
        asked = SelectModeRequest(execution_mode=EXECUTION_MODE_HOST, kind="tabular_train")
        selected = await answer(stub.SelectMode(asked, timeout=5))
        assert selected.mode == EXECUTION_MODE_LOCAL
        assert selected.fallback_reason

        with pytest.raises(RemoteError) as caught:
            await answer(stub.SelectMode(SelectModeRequest(require_gpu=True, kind="tabular_train"), timeout=5))
        assert (caught.value.code, caught.value.reason) == (Code.FAILED_PRECONDITION, "NO_GPU_HOST")


async def test_a_host_whose_only_slot_trains_answers_a_prediction_and_nobody_is_told_of_it(world: Deployment) -> None:
    async with world.host(a_host(num_slots=1, kinds=(TABULAR_TRAIN, INFER))) as host:
        training = await world.submit(a_spec())
        assert (await host.next_order()).kind == TABULAR_TRAIN
        waiting = await world.submit(a_spec())

        prediction = await world.submit(an_infer_spec())
        order = await host.next_order()
        assert (order.kind, order.job) == (INFER, (await world.job(prediction)).name)
        assert (await world.job(prediction)).mode == EXECUTION_MODE_LOCAL
        assert (await world.job(waiting)).state == JOB_STATE_QUEUED

        second = await world.submit(an_infer_spec())
        assert "answering another prediction" in (await explain(world, second)).summary
        await world.commit(prediction, 1)
        assert (await host.next_order()).job == (await world.job(second)).name

        assert len(await world.until_events(training, 2)) == 2
        assert await world.events_of(prediction) == []
