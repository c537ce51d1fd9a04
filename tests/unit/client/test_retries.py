from itertools import islice

from headway.client import Patience, RemoteError
from headway.client.retries import is_passing
from headway.contract.errors import Code


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
