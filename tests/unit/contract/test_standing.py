"""Where a job stands, in words, in every state."""

import pytest

from headway.contract import transitions
from headway.contract.standing import standing_in_words, what_a_cancel_left
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import FAILURE_CLASS_TRANSIENT, Failure
from tests.job_lives import cancelling, lives

WORDS = {
    "RUNNING": "attempt 1 is held by hosts/anton in mode local",
    "PAUSING": "attempt 1 is held by hosts/anton in mode local; once its host has stopped it, it is paused",
    "PAUSED": "it waits to be resumed (for the night); it goes on from step 7 when resumed",
    "CANCELLING": "attempt 1 is held by hosts/anton in mode local; once its host has stopped it, it is cancelled,"
    " and it never succeeds",
    "SUCCEEDED": "attempt 1 made projects/demo/models/iris/versions/1",
    "FAILED": "NO_SUCH_COLUMN: no column species; it was not tried again, for the spec or the data is at fault: mend it"
    " and submit it again",
    "CANCELLED": "stopped after 9 steps; its checkpoint of step 7 is kept as a partial model (not needed)",
    "EVAL_FAILED": "trained by attempt 1, but accuracy is 0.1, at least 0.5 was asked for",
}


@pytest.mark.parametrize("state", WORDS)
def test_each_state_has_its_words(state: str) -> None:
    assert standing_in_words(lives()[state].job) == f"{state}: {WORDS[state]}"


def test_every_state_but_the_queued_is_told() -> None:
    assert WORDS.keys() | {"QUEUED"} == lives().keys()


def test_a_second_attempt_says_why_it_is_there() -> None:
    failure = Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="CHILD_DIED", message="the process died")
    record = transitions.fail_attempt(a_claimed_record(), attempt=1, failure=failure, now=A_MOMENT)

    assert standing_in_words(a_claimed_record(record).job).endswith("; attempt 1 ended: the process died")


def test_a_cancel_says_what_it_left() -> None:
    never_begun = cancelling(a_record())
    unsaved = transitions.confirm_cancelled(cancelling(a_claimed_record()), attempt=1, now=A_MOMENT, step=3)

    assert what_a_cancel_left(never_begun.job) == "it had not begun"
    assert what_a_cancel_left(unsaved.job) == "stopped after 3 steps; nothing of it was saved"
