"""Every wish in every state: what becomes of it, and that asking twice is asking once (P20, P21)."""

from collections.abc import Callable

import pytest

from headway.contract.errors import InvalidTransition
from headway.contract.pausing import request_pause, request_resume
from headway.contract.priority import request_priority
from headway.contract.states import is_terminal, state_name
from headway.contract.transitions import request_cancel
from headway.testing.builders import A_MOMENT
from headway.v1.records_pb2 import JobRecord
from tests.job_lives import lives

Wish = Callable[[JobRecord], JobRecord | None]

WISHES: dict[str, Wish] = {
    "cancel": lambda record: request_cancel(record, message="", now=A_MOMENT),
    "pause": lambda record: request_pause(record, message="", now=A_MOMENT),
    "resume": lambda record: request_resume(record, message="", now=A_MOMENT),
    "priority": lambda record: request_priority(record, 5, message="", now=A_MOMENT),
}
SAME, REFUSED = "same", "refused"
OVER = (REFUSED, REFUSED, REFUSED, REFUSED)
#                cancel        pause       resume     priority
TABLE = {
    "QUEUED": ("CANCELLED", "PAUSED", SAME, "QUEUED"),
    "RUNNING": ("CANCELLING", "PAUSING", SAME, "RUNNING"),
    "PAUSING": ("CANCELLING", SAME, "PAUSING", "PAUSING"),
    "PAUSED": ("CANCELLED", SAME, "QUEUED", "PAUSED"),
    "CANCELLING": (SAME, REFUSED, REFUSED, "CANCELLING"),
    "CANCELLED": (SAME, REFUSED, REFUSED, REFUSED),
    "SUCCEEDED": OVER,
    "FAILED": OVER,
    "EVAL_FAILED": OVER,
}
ROWS = [(state, verb, TABLE[state][place]) for state in TABLE for place, verb in enumerate(WISHES)]


def test_the_table_has_every_state() -> None:
    assert TABLE.keys() == lives().keys()


@pytest.mark.parametrize(("state", "verb", "becomes"), ROWS, ids=lambda part: part)
def test_each_wish_does_in_each_state_what_the_table_says(state: str, verb: str, becomes: str) -> None:
    record, wish = lives()[state], WISHES[verb]
    before = record.SerializeToString(deterministic=True)

    if becomes == REFUSED:
        with pytest.raises(InvalidTransition, match=state):
            wish(record)
    elif becomes == SAME:
        assert wish(record) is None
    else:
        changed = wish(record)
        assert changed is not None
        assert state_name(changed.job.state) == becomes
        assert wish(changed) is None, "the second time changes nothing"
    assert record.SerializeToString(deterministic=True) == before, "a wish changes a copy"


def test_what_is_over_stays_as_it_is_whatever_is_wished_p20() -> None:
    over = [record for record in lives().values() if is_terminal(record.job.state)]
    for record in over:
        for wish in WISHES.values():
            try:
                assert wish(record) is None
            except InvalidTransition:
                continue
