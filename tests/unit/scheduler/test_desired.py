from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.contract.host_facts import facts_of
from headway.contract.times import duration
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record, a_spec
from headway.v1.job_specs_pb2 import Policies
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_RUNNING,
    AttemptOutcome,
    Checkpoint,
    JobState,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.scheduler_service_pb2 import AttemptReference, AttemptStop, SynchronizeResponse
from scheduler.desired import desired_state, order_of
from scheduler.host_table import LiveHost
from scheduler.snapshot import AttemptEnd, AttemptKey, HeldJob, Standing
from tests.unit.scheduler.views import a_demand

LEASE = timedelta(seconds=15)


def a_live_host(*reported: AttemptKey, ended: tuple[AttemptEnd, ...] = ()) -> LiveHost:
    names = {key: f"projects/demo/jobs/{key[0]}" for key in (*reported, *((e.job_id, e.attempt) for e in ended))}
    host = a_host()
    return LiveHost(host, facts_of(host), 0.0, A_MOMENT, A_MOMENT, reported=names, ended=ended)


def held(record: JobRecord, state: "JobState.ValueType" = JOB_STATE_RUNNING) -> tuple[HeldJob, JobRecord]:
    job = record.job
    job_id = job.name.rpartition("/")[2]
    return HeldJob(job_id, job.name, job.attempt, job.host, state, a_demand()), record


def answer(
    host: LiveHost, *jobs: tuple[HeldJob, JobRecord], standing: Standing = Standing.CURRENT
) -> SynchronizeResponse:
    return desired_state(host, jobs, lambda _: standing, lease=LEASE)


def test_a_held_job_is_to_be_run_whether_the_host_knows_it_or_not() -> None:
    record = a_claimed_record()
    job = held(record)

    assert [order.job for order in answer(a_live_host(), job).run] == [record.job.name]
    assert [order.job for order in answer(a_live_host(job[0].key), job).run] == [record.job.name]


def test_an_order_tells_everything_that_a_host_needs() -> None:
    record = transitions.commit_checkpoint(
        a_claimed_record(), host="hosts/anton", checkpoint=Checkpoint(attempt=1, step=7), now=A_MOMENT
    )
    order = order_of(record)

    assert (order.job, order.attempt, order.kind) == (record.job.name, 1, "tabular_train")
    assert order.spec == record.job.spec
    assert list(order.inputs) == list(record.inputs)
    assert (order.mode, order.user_id, order.checkpoint.step) == (record.job.mode, "ada", 7)


def test_an_order_names_the_checkpoint_before_the_newest_too() -> None:
    """P15."""
    record = a_claimed_record()
    for step in (6, 7):
        record = transitions.commit_checkpoint(
            record, host="hosts/anton", checkpoint=Checkpoint(attempt=1, step=step), now=A_MOMENT
        )
    order = order_of(record)
    assert (order.checkpoint.step, order.previous_checkpoint.step) == (7, 6)


def test_an_order_names_the_run_time_that_is_left() -> None:
    record = a_claimed_record(a_record(a_spec(policies=Policies(max_runtime=duration(timedelta(seconds=60))))))
    lost = transitions.lose_attempt(record, attempt=1, now=A_MOMENT, ran=timedelta(seconds=20))

    assert order_of(a_claimed_record(lost)).runtime_left.ToTimedelta() == timedelta(seconds=40)
    assert not order_of(a_claimed_record()).HasField("runtime_left")


def test_without_a_checkpoint_the_order_has_none() -> None:
    order = order_of(a_claimed_record())
    assert not order.HasField("checkpoint")
    assert not order.HasField("previous_checkpoint")


@pytest.mark.parametrize(
    ("state", "reason"),
    [(JOB_STATE_CANCELLING, AttemptStop.REASON_CANCEL), (JOB_STATE_PAUSING, AttemptStop.REASON_PAUSE)],
)
def test_a_job_that_is_being_stopped_is_not_to_be_run(state: "JobState.ValueType", reason: int) -> None:
    job = held(a_claimed_record(), state)
    response = answer(a_live_host(job[0].key), job)

    assert list(response.run) == []
    assert [stop.reason for stop in response.stop] == [reason]


def test_an_attempt_that_has_ended_is_neither_run_nor_stopped_nor_released_before_its_end_is_recorded() -> None:
    job = held(a_claimed_record(), JOB_STATE_CANCELLING)
    end = AttemptEnd(*job[0].key, ATTEMPT_OUTCOME_CANCELLED)
    response = answer(a_live_host(ended=(end,)), job)

    assert (len(response.run), len(response.stop), len(response.release)) == (0, 0, 0)


def test_an_attempt_that_an_earlier_boot_took_with_it_is_not_ordered_again() -> None:
    """It is lost, and the next attempt gets a new number: two boots never share a fence."""
    job = held(a_claimed_record())
    host = a_live_host()
    host.forgotten = frozenset({job[0].key})

    assert list(answer(host, job).run) == []


def test_an_attempt_that_is_not_current_is_to_be_thrown_away() -> None:
    response = answer(a_live_host(("j1", 1)), standing=Standing.OVER)

    assert list(response.stop) == [AttemptStop(job="projects/demo/jobs/j1", attempt=1, reason=AttemptStop.REASON_STALE)]


def test_an_attempt_whose_result_was_just_committed_is_left_to_hear_so_from_the_gateway() -> None:
    """P8: stopping it would cut off the gateway's answer, and the host would never learn that its result is safe."""
    response = answer(a_live_host(("j1", 1)), standing=Standing.COMMITTED)

    assert (len(response.run), len(response.stop), len(response.release)) == (0, 0, 0)


def test_an_attempt_that_nobody_knows_goes_on() -> None:
    """A scheduler that has lost its memory must not stop what runs."""
    response = answer(a_live_host(("j1", 1)), standing=Standing.UNKNOWN)

    assert (len(response.run), len(response.stop), len(response.release)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("standing", "outcome", "is_released"),
    [
        (Standing.OVER, ATTEMPT_OUTCOME_FAILED, True),
        (Standing.OVER, ATTEMPT_OUTCOME_SUCCEEDED, True),
        (Standing.COMMITTED, ATTEMPT_OUTCOME_SUCCEEDED, True),
        (Standing.UNKNOWN, ATTEMPT_OUTCOME_FAILED, True),
        (Standing.UNKNOWN, ATTEMPT_OUTCOME_SUCCEEDED, False),
        (Standing.CURRENT, ATTEMPT_OUTCOME_FAILED, False),
        (Standing.CURRENT, ATTEMPT_OUTCOME_SUCCEEDED, False),
    ],
)
def test_an_end_that_is_recorded_may_be_forgotten(
    standing: Standing, outcome: "AttemptOutcome.ValueType", is_released: bool
) -> None:
    response = answer(a_live_host(ended=(AttemptEnd("j1", 1, outcome),)), standing=standing)

    expected = [AttemptReference(job="projects/demo/jobs/j1", attempt=1)] if is_released else []
    assert list(response.release) == expected
    assert list(response.stop) == []


def test_the_answer_names_the_pace() -> None:
    response = answer(a_live_host())

    assert response.next_sync_delay.ToTimedelta() == LEASE / 5
    assert response.lease_duration.ToTimedelta() == LEASE
