"""The parts of every change of a record; the changes themselves are tested in test_transitions and test_pausing."""

from datetime import timedelta

import pytest

from headway.contract.errors import InvalidTransition, JobCancelled, StaleAttempt
from headway.contract.limits import TRANSITIONS_KEPT
from headway.contract.record_changes import append, check_attempt, check_fence, copied, end_attempt, last_of
from headway.contract.states import Event
from headway.contract.times import moment
from headway.contract.transitions import request_cancel
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_LOST, JOB_STATE_RUNNING, Failure, Transition


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
    assert numbers == list(range(numbers[0], numbers[0] + TRANSITIONS_KEPT))
    assert record.next_transition == numbers[-1] + 1
    assert moment(record.job.transitions[-1].occur_time) == A_MOMENT, "a clock that went back reorders nothing"
    assert record.job.state == JOB_STATE_RUNNING


def test_a_move_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidTransition, match="QUEUED cannot be resumed"):
        append(a_record(), Event.RESUMED, A_MOMENT)


def test_the_newest_transition_of_an_event_is_found() -> None:
    record = a_claimed_record()
    append(record, Event.CHECKPOINTED, A_MOMENT, message="first")
    append(record, Event.CHECKPOINTED, A_MOMENT, message="second")
    assert last_of(record.job, Event.CHECKPOINTED).message == "second"
    assert last_of(record.job, Event.PAUSED) == Transition()
