from itertools import islice

import pytest

from headway.client import Patience, RemoteError
from headway.client.retries import is_passing
from headway.contract.errors import Code
from tests.unit.client.scripted_gateway import InstantClock


def test_waits_double_up_to_the_longest() -> None:
    assert list(islice(Patience().waits(), 7)) == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_waits_end_once_they_add_up_to_the_limit() -> None:
    assert list(Patience(give_up_seconds=0.3).waits()) == [0.1, 0.2]
    assert list(Patience(give_up_seconds=0).waits()) == []


def test_only_an_absence_passes_by_itself() -> None:
    assert is_passing(RemoteError(Code.UNAVAILABLE, "STORE_UNAVAILABLE", "away"))
    assert is_passing(RemoteError(Code.RESOURCE_EXHAUSTED, "WATCH_LAGGED", "cut"))
    assert not is_passing(RemoteError(Code.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES", "enough"))
    assert not is_passing(RemoteError(Code.NOT_FOUND, "NOT_FOUND", "gone"))


async def test_a_call_is_tried_until_it_succeeds() -> None:
    clock = InstantClock()
    errors = [RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "away") for _ in range(3)]

    async def once() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert await Patience().keep_trying(clock, once) == "done"
    assert clock.slept == [0.1, 0.2, 0.4]


@pytest.mark.parametrize(
    ("error", "num_waits"),
    [
        (RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "away"), 2),
        (RemoteError(Code.INVALID_ARGUMENT, "SIZE_MISMATCH", "no"), 0),
    ],
)
async def test_the_last_error_is_raised_when_patience_is_over_or_it_will_not_pass(
    error: RemoteError, num_waits: int
) -> None:
    clock = InstantClock()

    async def once() -> str:
        raise error

    with pytest.raises(RemoteError, match=error.reason):
        await Patience(give_up_seconds=0.3).keep_trying(clock, once)
    assert len(clock.slept) == num_waits
