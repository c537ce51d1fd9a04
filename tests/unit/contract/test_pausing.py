"""Pausing and resuming a job, state by state."""

import itertools

import pytest

from headway.contract import transitions
from headway.contract.errors import InvalidTransition
from headway.contract.pausing import paused_in_words, request_pause, request_resume, settle_pause, what_is_kept
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_PAUSED,
    DESIRED_STATE_PAUSE,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_FATAL,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Bundle,
    Checkpoint,
    Failure,
    JobResult,
)
from headway.v1.records_pb2 import JobRecord


def pause(record: JobRecord, message: str = "") -> JobRecord:
    changed = request_pause(record, message=message, now=A_MOMENT)
    assert changed is not None, "the wish should change something"
    return changed


def resume(record: JobRecord, message: str = "") -> JobRecord:
    changed = request_resume(record, message=message, now=A_MOMENT)
    assert changed is not None, "the wish should change something"
    return changed


def confirmed(record: JobRecord) -> JobRecord:
    return transitions.confirm_paused(record, attempt=record.job.attempt, now=A_MOMENT)


def cancelled(record: JobRecord) -> JobRecord:
    changed = transitions.request_cancel(record, message="", now=A_MOMENT)
    assert changed is not None
    return changed


def events_of(record: JobRecord) -> list[str]:
    return [transition.event for transition in record.job.transitions]


def test_a_queued_job_is_paused_at_once() -> None:
    record = pause(a_record(), "for the night")
    assert (record.job.state, record.job.desired) == (JOB_STATE_PAUSED, DESIRED_STATE_PAUSE)
    told = record.job.transitions[-1]
    assert (told.event, told.reason, told.message) == ("paused", "PAUSE_REQUESTED", "for the night")


def test_a_running_job_waits_for_its_host_and_keeps_who_asked() -> None:
    record = pause(a_claimed_record(), "for the night")
    assert (record.job.state, record.job.host) == (JOB_STATE_PAUSING, "hosts/anton")
    done = confirmed(record)
    assert (done.job.state, done.job.host) == (JOB_STATE_PAUSED, "")
    assert done.job.attempts[0].outcome == ATTEMPT_OUTCOME_PAUSED
    assert done.job.transitions[-1].message == "for the night"


def test_a_pause_uses_up_no_budget() -> None:
    record = resume(confirmed(pause(a_claimed_record())))
    assert (record.num_transient_failures, record.num_losses) == (0, 0)
    assert not record.HasField("not_before_time")


def test_a_wish_changes_a_copy_and_not_the_record_read() -> None:
    running, paused = a_claimed_record(), pause(a_record())
    before = [record.SerializeToString(deterministic=True) for record in (running, paused)]
    pause(running)
    resume(paused)
    assert [record.SerializeToString(deterministic=True) for record in (running, paused)] == before


def test_pausing_twice_changes_nothing() -> None:
    for record in (pause(a_record()), pause(a_claimed_record())):
        assert request_pause(record, message="again", now=A_MOMENT) is None


def test_a_paused_job_that_is_resumed_is_queued_and_gets_the_next_attempt() -> None:
    record = resume(confirmed(pause(a_claimed_record())), "morning")
    assert (record.job.state, record.job.desired) == (JOB_STATE_QUEUED, DESIRED_STATE_RUN)
    told = record.job.transitions[-1]
    assert (told.event, told.reason, told.message) == ("resumed", "RESUME_REQUESTED", "morning")
    assert a_claimed_record(record).job.attempt == 2


def test_resuming_a_job_that_goes_on_anyway_changes_nothing() -> None:
    for record in (a_record(), a_claimed_record(), resume(pause(a_claimed_record()))):
        assert request_resume(record, message="", now=A_MOMENT) is None


def test_a_job_resumed_while_it_is_pausing_is_paused_and_queued_again_in_one_write() -> None:
    record = resume(pause(a_claimed_record()), "changed my mind")
    assert (record.job.state, record.job.desired) == (JOB_STATE_PAUSING, DESIRED_STATE_RUN)
    done = confirmed(record)
    assert done.job.state == JOB_STATE_QUEUED
    assert events_of(done)[-4:] == ["pause_requested", "resume_requested", "paused", "resumed"]
    assert done.job.transitions[-1].message == "changed my mind"


def test_the_last_wish_counts_while_a_job_is_pausing() -> None:
    record = pause(resume(pause(a_claimed_record())), "no, do pause")
    assert (record.job.state, record.job.desired) == (JOB_STATE_PAUSING, DESIRED_STATE_PAUSE)
    done = confirmed(record)
    assert done.job.state == JOB_STATE_PAUSED
    assert done.job.transitions[-1].message == "no, do pause"


def test_a_lost_host_ends_the_pause_with_its_reason_and_a_resume_is_not_forgotten() -> None:
    lost = transitions.lose_attempt(resume(pause(a_claimed_record())), attempt=1, now=A_MOMENT)
    assert lost.job.state == JOB_STATE_QUEUED
    assert [(one.event, one.reason) for one in lost.job.transitions][-2:] == [
        ("paused", "HOST_LOST"),
        ("resumed", "RESUME_REQUESTED"),
    ]


def over(name: str) -> JobRecord:
    running = a_claimed_record()
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="X")
    return {
        "CANCELLING": lambda: cancelled(running),
        "CANCELLED": lambda: cancelled(a_record()),
        "FAILED": lambda: transitions.fail_attempt(running, attempt=1, failure=failure, now=A_MOMENT),
        "SUCCEEDED": lambda: transitions.commit_result(
            running, host="hosts/anton", result=JobResult(attempt=1), now=A_MOMENT
        ),
    }[name]()


@pytest.mark.parametrize("state", ["CANCELLING", "CANCELLED", "FAILED", "SUCCEEDED"])
@pytest.mark.parametrize("verb", ["paused", "resumed"])
def test_a_job_that_ends_or_is_over_refuses_with_its_state_and_the_way_on(state: str, verb: str) -> None:
    with pytest.raises(InvalidTransition, match=f"{state} cannot be {verb}: .*submit it again") as caught:
        (request_pause if verb == "paused" else request_resume)(over(state), message="", now=A_MOMENT)
    assert caught.value.metadata == {"state": state, "event": verb}


def test_any_order_of_wishes_ends_where_the_last_one_wants() -> None:
    wishes = {"pause": request_pause, "resume": request_resume}
    for order in itertools.product(wishes, repeat=4):
        record = a_claimed_record()
        for wish in order:
            record = wishes[wish](record, message="", now=A_MOMENT) or record
        done = confirmed(record) if record.job.state == JOB_STATE_PAUSING else record
        expected = (JOB_STATE_PAUSED,) if order[-1] == "pause" else (JOB_STATE_QUEUED, JOB_STATE_RUNNING)
        assert done.job.state in expected, order


def test_a_pause_is_settled_in_place() -> None:
    record = pause(a_claimed_record())
    assert settle_pause(record, A_MOMENT, reason="WHY", message="because") is record
    assert record.job.state == JOB_STATE_PAUSED


def test_what_is_kept_is_said_as_it_is() -> None:
    waiting, ended = pause(a_record()), confirmed(pause(a_claimed_record(), "night"))
    assert paused_in_words(waiting.job) == "it waits to be resumed; it had not begun"
    assert paused_in_words(ended.job) == (
        "it waits to be resumed (night); it has no checkpoint, and begins again when resumed"
    )
    checkpoint = Checkpoint(attempt=1, step=120, bundle=Bundle())
    ended.job.checkpoint.CopyFrom(checkpoint)
    assert what_is_kept(ended.job) == "it goes on from step 120 when resumed"
