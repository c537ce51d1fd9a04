"""A clock that moves only when a test says so."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

from headway.runtime.clock import SystemClock

_START = datetime(2030, 1, 1, tzinfo=UTC)
# Turns of the event loop after each wake, so that what was woken can run and set its next timer.
_TURNS = 25


class ManualClock:
    """See `Clock`; `advance` wakes sleepers in the order of their deadlines, each at its own time."""

    def __init__(self, start: datetime = _START) -> None:
        self._wall_start = start
        self._elapsed_seconds = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        """The wall time in UTC."""
        return self._wall_start + timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_seconds

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by `seconds`."""
        if seconds <= 0:
            await _other_tasks(1)
            return
        woken = asyncio.Event()
        self._call_at(self._elapsed_seconds + seconds, woken.set)
        await woken.wait()

    async def wait_for_event(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """Wait until `event` is set or the clock was advanced by the timeout; returns whether it is set."""
        scope = asyncio.timeout(None)

        def time_out() -> None:
            if not scope.expired() and is_waiting:
                scope.reschedule(asyncio.get_running_loop().time())

        is_waiting = True
        try:
            async with scope:
                self._call_at(self._elapsed_seconds + timeout_seconds, time_out)
                await event.wait()
        except TimeoutError:
            return event.is_set()
        finally:
            is_waiting = False
        return True

    async def advance(self, seconds: float) -> None:
        """Move both times forward, waking sleepers on the way."""
        target = self._elapsed_seconds + seconds
        await _other_tasks(_TURNS)
        while self._timers and self._timers[0][0] <= target:
            deadline, _, wake = heapq.heappop(self._timers)
            self._elapsed_seconds = max(self._elapsed_seconds, deadline)
            wake()
            await _other_tasks(_TURNS)
        self._elapsed_seconds = target
        await _other_tasks(_TURNS)

    def set_wall(self, now: datetime) -> None:
        """Let the wall time jump; the monotonic time and sleepers are not moved."""
        self._wall_start = now - timedelta(seconds=self._elapsed_seconds)

    def _call_at(self, deadline: float, wake: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (deadline, next(self._numbers), wake))


async def _other_tasks(turns: int) -> None:
    for _ in range(turns):
        await SystemClock().sleep(0)
