from datetime import timedelta

import pytest

from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError
from tests.unit.trainer_host.doubles import HastyClock
from trainer_host.retries import Pace, retrying


def unavailable(retry_after: timedelta | None = None) -> RemoteError:
    return RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "away", retry_after=retry_after)


async def tries_until_success(clock: HastyClock, pace: Pace, failures: list[Exception]) -> int:
    num_tries = 0
    async for attempt in retrying("a test", clock, pace, lambda error: isinstance(error, RemoteError)):
        with attempt:
            num_tries += 1
            if failures:
                raise failures.pop(0)
    return num_tries


async def test_three_quick_tries_after_one_two_and_four_seconds_then_slower_up_to_the_cap() -> None:
    clock = HastyClock()
    assert await tries_until_success(clock, Pace(longest_seconds=15), [unavailable() for _ in range(8)]) == 9
    for wanted, slept in zip([1, 2, 4, 8, 15, 15, 15, 15], clock.sleeps, strict=True):
        assert wanted <= slept <= wanted * 1.1


async def test_it_never_gives_up_unless_told_to() -> None:
    clock = HastyClock()
    assert await tries_until_success(clock, Pace(), [unavailable() for _ in range(500)]) == 501


async def test_it_gives_up_after_the_limit_with_the_last_error() -> None:
    clock = HastyClock()
    with pytest.raises(RemoteError, match="away"):
        await tries_until_success(clock, Pace(give_up_seconds=30), [unavailable() for _ in range(500)])
    assert 30 <= sum(clock.sleeps) <= 30 + 16.5


async def test_a_server_that_asks_for_time_gets_it_within_the_cap() -> None:
    clock = HastyClock()
    failures: list[Exception] = [unavailable(timedelta(seconds=7)), unavailable(timedelta(hours=1))]
    await tries_until_success(clock, Pace(longest_seconds=15), failures)
    assert 7 <= clock.sleeps[0] <= 7.7
    assert 15 <= clock.sleeps[1] <= 16.5


async def test_an_error_that_cannot_pass_is_raised_at_once() -> None:
    clock = HastyClock()
    with pytest.raises(ValueError, match="wrong"):
        await tries_until_success(clock, Pace(), [ValueError("wrong")])
    assert clock.sleeps == []
