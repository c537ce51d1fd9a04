"""Production coroutines, moved step by step and without an event loop.

Every wait for the outside world is a `pause`, and at every pause the simulator may let others act, freeze the process
or kill it. So a history decides about each interleaving, and the same choices make the same history.
"""

import asyncio
from collections.abc import Coroutine, Generator
from datetime import datetime, timedelta
from enum import Enum, auto
from types import coroutine
from typing import Generic, Literal, TypeVar

from headway.testing.builders import A_MOMENT

T = TypeVar("T")
_STEPS_MAX = 3_000


class Pause(Enum):
    """Why a routine does not go on by itself."""

    TRAVEL = auto()
    """A request or an answer is on its way."""
    IDLE = auto()
    """There is nothing to do until there is news or time has passed."""


@coroutine
def pause(why: Pause) -> Generator[Pause, None, None]:
    yield why


class Routine(Generic[T]):
    """One coroutine under way."""

    def __init__(self, work: Coroutine[object, None, T]) -> None:
        self.is_over = False
        self.value: T | None = None
        self.error: Exception | None = None
        self._work = work

    def step(self) -> bool:
        """Go on to the next pause; whether it has more to do at once."""
        try:
            return self._work.send(None) is not Pause.IDLE
        except StopIteration as end:
            self.is_over, self.value = True, end.value
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever began the routine looks at it
            self.is_over, self.error = True, error
        return False

    def run(self) -> None:
        """Go on until there is nothing to do."""
        for _ in range(_STEPS_MAX):
            if not self.step():
                return
        raise AssertionError("a routine never comes to rest")

    def kill(self) -> None:
        """The process is gone; what was on its way to the store has arrived there or not."""
        self.is_over = True
        self._work.close()


class SimulatedClock:
    """One time for all: the steps move it. The wall clock may jump besides."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.wall_jump = timedelta()

    def now(self) -> datetime:
        return A_MOMENT + timedelta(seconds=self.seconds) + self.wall_jump

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        end = self.seconds + seconds
        while self.seconds < end:
            await pause(Pause.IDLE)

    async def wait_for_event(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        end = self.seconds + timeout_seconds
        while not event.is_set() and self.seconds < end:
            await pause(Pause.IDLE)
        return event.is_set()


class SimulatedEvent(asyncio.Event):
    """An event that a routine can wait for."""

    async def wait(self) -> Literal[True]:
        while not self.is_set():
            await pause(Pause.IDLE)
        return True
