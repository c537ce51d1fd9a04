"""Bounds unary calls: a caller without a deadline, or with a long one, gets the server's own."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from headway.contract.errors import DeadlineExceeded

UNARY_LIMIT_SECONDS = 30.0
_ROUNDING_SECONDS = 0.5
"""A caller who chose the same limit arrives with a little more: the library rounds deadlines up on their way."""

T = TypeVar("T")


async def limited(work: Awaitable[T], time_remaining_seconds: float | None, limit_seconds: float) -> T:
    """Await `work`, at most as long as the limit. A shorter deadline of the caller is watched by the library.

    Raises:
        DeadlineExceeded: the server's limit has passed. A TimeoutError of the work's own passes through unchanged.
    """
    if time_remaining_seconds is not None and time_remaining_seconds <= limit_seconds + _ROUNDING_SECONDS:
        return await work
    scope = asyncio.timeout(limit_seconds)
    try:
        async with scope:
            return await work
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise DeadlineExceeded(f"The call took longer than the server's limit of {limit_seconds:g} s.") from error
