"""The parts of every change of a record; the changes themselves are tested in test_transitions and test_pausing."""

from datetime import timedelta

import pytest

from headway.contract.errors import InvalidTransition, JobCancelled, StaleAttempt
from headway.contract.limits import RECORD_MAX_BYTES, TRANSITIONS_KEPT
from headway.contract.pausing import request_pause, request_resume
from headway.contract.priority import request_priority
from headway.contract.record_changes import append, check_attempt, check_fence, copied, end_attempt, last_of
from headway.contract.states import Event
from headway.contract.times import moment
from headway.contract.transitions import commit_checkpoint, fail_attempt, lose_attempt, request_cancel
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Checkpoint,
    Failure,
    Transition,
)


def test_a_copy_shares_nothing() -> None:
    record = a_record()
    copied(record).job.user_id = "somebody else"
    assert record.job.user_id == "ada"


def test_the_end_of_an_attempt_is_written_into_a_copy() -> None:
    record = a_claimed_record()
    changed = end_attempt(record, ATTEMPT_OUTCOME_LOST, Failure(reason="X"), A_MOMENT)
    assert (changed.job.attempts[0].outcome, changed.job.attempts[0].failure.reason) == (ATTEMPT_OUTCOME_LOST, "X")
    assert not record.job.attempts[0].outcome


def test_only_the_current_attempt_of_its_own_host_passes_the_fence() -> None:
    record = a_claimed_record()
    check_attempt(record, 1)
    check_fence(record, 1, "hosts/anton")
    with pytest.raises(StaleAttempt, match="attempt 2"):
        check_attempt(record, 2)
    with pytest.raises(StaleAttempt, match="belongs to hosts/anton"):
        check_fence(record, 1, "hosts/berta")
    with pytest.raises(StaleAttempt):
        check_attempt(a_record(), 0)


def test_a_cancellation_closes_the_fence() -> None:
    record = request_cancel(a_claimed_record(), message="", now=A_MOMENT)
    assert record is not None
    with pytest.raises(JobCancelled):
        check_fence(record, 1, "hosts/anton")


def test_a_transition_is_numbered_timed_and_bounded() -> None:
    record = a_claimed_record()
    for _ in range(TRANSITIONS_KEPT + 3):
        append(record, Event.CHECKPOINTED, A_MOMENT - timedelta(hours=1))
    numbers = [transition.number for transition in record.job.transitions]
    assert len(numbers) == TRANSITIONS_KEPT
    assert numbers[:2] == [1, 2], "what a later one replaces goes before what began the attempt"
    assert numbers[2:] == list(range(numbers[2], numbers[2] + TRANSITIONS_KEPT - 2)), "the oldest checkpoints went"
    assert record.next_transition == numbers[-1] + 1
    assert moment(record.job.transitions[-1].occur_time) == A_MOMENT, "a clock that went back reorders nothing"
    assert record.job.state == JOB_STATE_RUNNING


def test_a_day_of_checkpoints_forgets_no_attempt() -> None:
    """One a minute, with a host lost every two hours: the history still tells of each attempt and why it ended."""
    record = a_record()
    for attempt in range(1, 13):
        record = a_claimed_record(record)
        for minute in range(120):
            checkpoint = Checkpoint(attempt=attempt, step=120 * attempt + minute)
            record = commit_checkpoint(record, host="hosts/anton", checkpoint=checkpoint, now=A_MOMENT)
        record = lose_attempt(record, attempt=attempt, now=A_MOMENT)

    told = [transition.event for transition in record.job.transitions if transition.event != "checkpointed"]
    assert told == ["submitted", *["claimed", "moved"] * 12]
    assert record.next_transition == 1 + 1 + 12 * 122
    assert (record.job.state, record.num_losses) == (JOB_STATE_QUEUED, 1), "a job that gets on loses hosts for ever"


def test_wishes_that_are_replaced_go_before_those_that_are_not() -> None:
    record = a_claimed_record()
    for number in range(3 * TRANSITIONS_KEPT):
        record = request_priority(record, 1 + number % 2, message="", now=A_MOMENT) or record

    assert [transition.event for transition in record.job.transitions[:2]] == ["submitted", "claimed"]
    assert last_of(record.job, Event.PRIORITY_CHANGED).number == record.next_transition - 1


def test_with_nothing_to_replace_the_oldest_goes() -> None:
    record = a_record()
    for _ in range(TRANSITIONS_KEPT):
        record = request_pause(record, message="", now=A_MOMENT) or record
        record = request_resume(record, message="", now=A_MOMENT) or record
    numbers = [transition.number for transition in record.job.transitions]
    assert numbers == list(range(record.next_transition - TRANSITIONS_KEPT, record.next_transition))


def test_a_record_stays_below_its_bound_whatever_its_spec_weighs() -> None:
    record = a_claimed_record()
    record.job.spec.custom.spec.update({"words": "x" * (RECORD_MAX_BYTES - 4096)})
    for number in range(TRANSITIONS_KEPT):
        append(record, Event.CHECKPOINTED, A_MOMENT, message=f"{number}" + "y" * 500)
    assert record.ByteSize() < RECORD_MAX_BYTES
    assert last_of(record.job, Event.CHECKPOINTED).number == record.next_transition - 1


def test_a_move_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidTransition, match="QUEUED cannot be resumed"):
        append(a_record(), Event.RESUMED, A_MOMENT)


def test_the_newest_transition_of_an_event_is_found() -> None:
    record = a_claimed_record()
    append(record, Event.CHECKPOINTED, A_MOMENT, message="first")
    append(record, Event.CHECKPOINTED, A_MOMENT, message="second")
    assert last_of(record.job, Event.CHECKPOINTED).message == "second"
    assert last_of(record.job, Event.PAUSED) == Transition()


def test_a_clock_that_was_put_back_changes_no_wait_and_no_attempts_end() -> None:
    """P22: a retry waits as long as it was decided to, seen from a clock that is a day behind."""
    failure = Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="TOY")
    yesterday = A_MOMENT - timedelta(days=1)
    record = fail_attempt(a_claimed_record(), attempt=1, failure=failure, now=yesterday)
    assert moment(record.not_before_time) - moment(record.job.update_time) == timedelta(seconds=1)
    assert moment(record.job.attempts[0].end_time) >= moment(record.job.attempts[0].start_time)
