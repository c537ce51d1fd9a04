"""Waits until something becomes true."""

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

from headway.runtime.clock import SystemClock

T = TypeVar("T")


@overload
async def eventually(
    check: Callable[[], Awaitable[T]], *, timeout_seconds: float = 5.0, interval_seconds: float = 0.01
) -> T: ...


@overload
async def eventually(check: Callable[[], T], *, timeout_seconds: float = 5.0, interval_seconds: float = 0.01) -> T: ...


async def eventually(
    check: Callable[[], T | Awaitable[T]], *, timeout_seconds: float = 5.0, interval_seconds: float = 0.01
) -> T:
    """Call `check` until its result is true and it raises no AssertionError.

    Args:
        check: sync or async.
        timeout_seconds: of real time, over all calls.
        interval_seconds: between calls.

    Returns:
        The first true result.

    Raises:
        AssertionError: the time is over; with the last result or failed assertion.
    """
    deadline = time.perf_counter() + timeout_seconds
    while True:
        failure: AssertionError | None = None
        result: T | None = None
        try:
            outcome = check()
            result = await outcome if inspect.isawaitable(outcome) else outcome
        except AssertionError as error:
            failure = error
        if failure is None and result:
            return result
        if time.perf_counter() > deadline:
            raise failure or AssertionError(f"not within {timeout_seconds} s; the last result was {result!r}")
        await SystemClock().sleep(interval_seconds)
