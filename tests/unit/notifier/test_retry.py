"""How long a failing sink is left alone."""

from notifier.retry import LONGEST_PATIENCE_SECONDS, retry_wait_seconds


def test_waits_double_up_to_a_minute() -> None:
    waits = [retry_wait_seconds(number, None) for number in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_wait_seconds(10_000, None) == 60


def test_the_other_side_is_never_asked_earlier_than_it_wants() -> None:
    assert retry_wait_seconds(1, 30.0) == 30.0
    assert retry_wait_seconds(9, 30.0) == 60.0


def test_nobody_can_silence_a_sink_for_years() -> None:
    assert retry_wait_seconds(1, 1e9) == LONGEST_PATIENCE_SECONDS
