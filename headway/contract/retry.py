"""Whether a failed attempt is followed by another, and when."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon to try again.

    Attributes:
        retries_max: further attempts, from 0.
        first_wait: before the first retry.
        factor: each wait is this many times the one before.
        longest_wait: no wait is longer.
    """

    retries_max: int
    first_wait: timedelta = timedelta(seconds=1)
    factor: float = 2.0
    longest_wait: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again, not before `not_before_time`."""

    not_before_time: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again: the budget of `failures` is used up."""

    failures: int


def decide(policy: RetryPolicy, failures: int, *, now: datetime) -> Retry | GiveUp:
    """Decide after the `failures`-th failure.

    With the defaults the waits are 1, 2, 4, 8 ... seconds, at most 5 minutes.

    Args:
        policy: the budget and its pace.
        failures: failures so far, this one included, from 1.
        now: the moment of the failure.
    """
    if failures > policy.retries_max:
        return GiveUp(failures)
    exponent = min(failures - 1, 32)
    wait = min(policy.first_wait * policy.factor**exponent, policy.longest_wait)
    return Retry(now + wait)
