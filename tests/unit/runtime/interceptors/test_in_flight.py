"""How many calls may be in flight (P27, A27)."""

from contextlib import ExitStack

import pytest

from headway.contract.errors import Code, TooManyCalls
from headway.runtime.interceptors.in_flight import RETRY_AFTER, InFlight

WORK, WATCH = "/a.Service/Work", "/a.Service/Watch"


@pytest.fixture
def in_flight() -> InFlight:
    return InFlight(4, [WATCH])


def test_one_call_too_many_is_told_when_to_come_back_and_was_not_counted(in_flight: InFlight) -> None:
    with ExitStack() as calls:
        for _ in range(4):
            calls.enter_context(in_flight.counted(WORK))
        for _ in range(3):
            with pytest.raises(TooManyCalls), in_flight.counted(WORK):
                pass
        with pytest.raises(TooManyCalls) as caught, in_flight.counted(WORK):
            pass
        assert (caught.value.code, caught.value.retry_after) == (Code.RESOURCE_EXHAUSTED, RETRY_AFTER)
        assert caught.value.metadata == {"quota": "calls in flight", "limit": "4"}
        assert in_flight.num_calls == 4
    assert in_flight.num_calls == 0
    with in_flight.counted(WORK):
        assert in_flight.num_calls == 1


def test_those_who_listen_leave_room_for_those_who_work(in_flight: InFlight) -> None:
    with ExitStack() as calls:
        for _ in range(3):
            calls.enter_context(in_flight.counted(WATCH))
        with pytest.raises(TooManyCalls, match="watches"), in_flight.counted(WATCH):
            pass
        with in_flight.counted(WORK):
            pass
    with in_flight.counted(WATCH):
        pass


def test_a_call_that_fails_is_counted_no_longer(in_flight: InFlight) -> None:
    for _ in range(10):
        with pytest.raises(ValueError, match="no"), in_flight.counted(WATCH):
            raise ValueError("no")
    assert in_flight.num_calls == 0
