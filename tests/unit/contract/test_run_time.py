"""max_runtime: what counts against it, what happens when it is used up, and that a resume gives it once more."""

from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.contract.pausing import paused_in_words, request_pause, request_resume
from headway.contract.run_time import is_used_up, time_left
from headway.contract.times import duration
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record, a_spec
from headway.v1.job_specs_pb2 import Policies
from headway.v1.jobs_pb2 import (
    DESIRED_STATE_PAUSE,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_CANCELLED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    Failure,
)
from headway.v1.records_pb2 import JobRecord
from tests.job_lives import cancelling, pausing, wished

LIMIT = timedelta(seconds=60)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def a_limited(limit: timedelta = LIMIT) -> JobRecord:
    return a_record(a_spec(policies=Policies(max_runtime=duration(limit))))


def lost(record: JobRecord, ran: float) -> JobRecord:
    return transitions.lose_attempt(record, attempt=record.job.attempt, now=A_MOMENT, ran=seconds(ran))


def used_up(record: JobRecord, ran: float) -> JobRecord:
    return transitions.use_up_run_time(record, attempt=record.job.attempt, now=A_MOMENT, ran=seconds(ran))


def test_without_a_limit_nothing_is_ever_used_up() -> None:
    record = lost(a_claimed_record(), 10**6)
    assert time_left(record) is None
    assert not is_used_up(record)
    assert record.job.runtime.ToTimedelta() == seconds(10**6)


def test_what_every_attempt_took_is_added_up_and_told() -> None:
    record = lost(a_claimed_record(lost(a_claimed_record(a_limited()), 20)), 15.5)
    assert time_left(record) == seconds(24.5)
    assert [one.runtime.ToTimedelta() for one in record.job.attempts] == [seconds(20), seconds(15.5)]


def test_a_host_that_ends_it_pauses_it_and_it_says_why() -> None:
    record = used_up(a_claimed_record(a_limited()), 60.2)

    assert (record.job.state, record.job.desired, record.job.host) == (JOB_STATE_PAUSED, DESIRED_STATE_PAUSE, "")
    assert record.job.transitions[-1].reason == "MAX_RUNTIME"
    assert "max_runtime of 60 s is used up" in paused_in_words(record.job)
    assert (record.num_losses, record.num_transient_failures) == (0, 0)


def test_a_rounding_of_clocks_does_not_send_it_back_for_a_millisecond() -> None:
    assert is_used_up(used_up(a_claimed_record(a_limited()), 59.999))


def test_a_resume_gives_as_long_again() -> None:
    record = wished(request_resume(used_up(a_claimed_record(a_limited()), 61), message="", now=A_MOMENT))

    assert record.job.state == JOB_STATE_QUEUED
    assert time_left(record) == LIMIT
    assert used_up(a_claimed_record(record), 60).job.state == JOB_STATE_PAUSED


def test_a_resume_before_the_end_gives_nothing_more() -> None:
    paused = transitions.confirm_paused(
        pausing(a_claimed_record(a_limited())), attempt=1, now=A_MOMENT, ran=seconds(40)
    )
    assert time_left(wished(request_resume(paused, message="", now=A_MOMENT))) == seconds(20)


@pytest.mark.parametrize("end", ["lost", "failed"])
def test_a_job_whose_time_is_up_is_not_queued_again(end: str) -> None:
    record = a_claimed_record(a_limited())
    failure = Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="CHILD_DIED", message="it died")
    ended = (
        lost(record, 60)
        if end == "lost"
        else transitions.fail_attempt(record, attempt=1, failure=failure, now=A_MOMENT, ran=LIMIT)
    )
    assert (ended.job.state, ended.job.transitions[-1].reason) == (JOB_STATE_PAUSED, "MAX_RUNTIME")
    assert ended.job.failure.reason, "why the attempt ended is kept"


def test_a_resume_while_pausing_does_not_outlast_the_limit() -> None:
    resumed = wished(request_resume(pausing(a_claimed_record(a_limited())), message="", now=A_MOMENT))
    ended = transitions.confirm_paused(resumed, attempt=1, now=A_MOMENT, ran=LIMIT)
    assert (ended.job.state, ended.job.desired) == (JOB_STATE_PAUSED, DESIRED_STATE_PAUSE)


def test_a_wish_that_came_before_wins() -> None:
    running = a_claimed_record(a_limited())
    assert used_up(cancelling(running), 60).job.state == JOB_STATE_CANCELLED
    paused = used_up(wished(request_pause(running, message="mine", now=A_MOMENT)), 60)
    assert (paused.job.state, paused.job.transitions[-1].reason) == (JOB_STATE_PAUSED, "PAUSE_REQUESTED")


def test_a_host_that_ends_a_job_without_a_limit_has_given_it_up() -> None:
    record = used_up(a_claimed_record(), 60)
    assert (record.job.state, record.job.failure.reason, record.num_losses) == (JOB_STATE_QUEUED, "HOST_GAVE_UP", 1)
