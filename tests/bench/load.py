"""A closed-loop load: so many calls in flight, each followed at once by the next; bounded in count."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Call = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Load:
    """What a load took.

    Attributes:
        latencies_seconds: of each call, in order of completion.
        wall_seconds: from the first call to the last answer.
    """

    latencies_seconds: tuple[float, ...]
    wall_seconds: float

    @property
    def p50_ms(self) -> float:
        """Median latency, milliseconds."""
        return statistics.median(self.latencies_seconds) * 1000

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return len(self.latencies_seconds) / self.wall_seconds


async def run_load(call: Call, *, num_calls: int, in_flight: int, first: int = 0) -> Load:
    """Make `num_calls` calls, numbered from `first`, with `in_flight` of them at a time."""
    numbers = iter(range(first, first + num_calls))
    latencies: list[float] = []

    async def caller() -> None:
        for number in numbers:
            start = time.perf_counter()
            await call(number)
            latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(caller())
    return Load(tuple(latencies), time.perf_counter() - start)


def median(values: list[float]) -> float:
    """The median; the figure to quote on a machine that is shared."""
    return statistics.median(values)
