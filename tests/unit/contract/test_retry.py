"""The retry decision."""

from datetime import UTC, datetime, timedelta

from headway.contract.retry import GiveUp, Retry, RetryPolicy, decide

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_waits_double_and_are_capped() -> None:
    policy = RetryPolicy(20)
    decisions = [decide(policy, failures, now=NOW) for failures in range(1, 12)]
    waits = [(d.not_before_time - NOW).total_seconds() for d in decisions if isinstance(d, Retry)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_used_up_budget_gives_up() -> None:
    assert decide(RetryPolicy(2), 3, now=NOW) == GiveUp(3)


def test_an_absurd_count_does_not_overflow() -> None:
    policy = RetryPolicy(10**9, longest_wait=timedelta(hours=1))
    assert decide(policy, 10**8, now=NOW) == Retry(NOW + timedelta(hours=1))
