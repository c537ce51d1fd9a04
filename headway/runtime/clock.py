"""The one place that reads the clock and sleeps.

Loops take a `Clock`; pure code takes `now`. Wall time may jump: durations and deadlines use `monotonic`.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as a service sees it."""

    def now(self) -> datetime:
        """The wall time in UTC; may jump backwards or forwards."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; a value of 0 or less only lets other tasks run."""
        ...

    async def wait_for_event(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set, at most `timeout_seconds`.

        Returns:
            Whether the event is set.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)

    async def wait_for_event(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set, at most `timeout_seconds`; returns whether it is set."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
