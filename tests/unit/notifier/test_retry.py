"""How long a failing sink is left alone."""

from notifier.retry import LONGEST_WAIT_SECONDS, retry_wait_seconds


def test_waits_grow_to_a_minute() -> None:
    assert [retry_wait_seconds(number, None) for number in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_wait_seconds(10**6, None) == LONGEST_WAIT_SECONDS


def test_the_other_side_is_never_asked_sooner_than_it_wants() -> None:
    assert retry_wait_seconds(1, 300.0) == 300.0
    assert retry_wait_seconds(4, 0.5) == 8.0
