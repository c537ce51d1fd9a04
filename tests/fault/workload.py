"""Clients that go on over faults: they repeat what broke, with the same request id, and note every call."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from headway.runtime.clock import SystemClock
from headway.runtime.remote_error import RemoteError
from headway.testing.toy_recipe import ToySpec
from headway.v1.job_specs_pb2 import JobSpec
from tests.fault.cluster import FaultCluster

SHORT = ToySpec(num_steps=10, step_seconds=0.005)
SUBMIT_LIMIT_SECONDS = 60.0
_RETRY_SECONDS = 0.05


async def submit_until_acked(
    cluster: FaultCluster, what: ToySpec | JobSpec = SHORT, *, request_id: str | None = None
) -> str:
    """Submit a job as a client does that wants it: again and again with one request id; returns the job's name."""
    clock, wanted = SystemClock(), request_id or cluster.plan.new_request_id()
    async with asyncio.timeout(SUBMIT_LIMIT_SECONDS):
        while True:
            try:
                return await cluster.submit(what, wanted)
            except RemoteError as error:
                if not error.is_retryable:
                    raise
                wait = error.retry_after.total_seconds() if error.retry_after else 0.0
                await clock.sleep(max(_RETRY_SECONDS, wait))


async def submit_many(cluster: FaultCluster, num_jobs: int, toy: ToySpec = SHORT, *, submitters: int = 4) -> list[str]:
    """Submit so many jobs until each is acknowledged, a few at a time; returns their names."""
    limit = asyncio.Semaphore(submitters)

    async def one() -> str:
        async with limit:
            return await submit_until_acked(cluster, toy)

    return list(await asyncio.gather(*(one() for _ in range(num_jobs))))


@dataclass(slots=True)
class Submitters:
    """Clients that submit without a pause until they are told to stop, each job once or until it is acknowledged."""

    cluster: FaultCluster
    toy: ToySpec = SHORT
    num_clients: int = 4
    is_repeating: bool = True
    pause_seconds: Callable[[], float] = lambda: 0.0
    jobs: list[str] = field(default_factory=list)
    _is_over: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._submit(), name="submitter") for _ in range(self.num_clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Let each submission that is under way come to its end, and begin no other."""
        self._is_over.set()
        for task in self._tasks:
            await task

    async def _submit(self) -> None:
        clock = SystemClock()
        while not self._is_over.is_set():
            if self.is_repeating:
                self.jobs.append(await submit_until_acked(self.cluster, self.toy))
            else:
                with suppress(RemoteError):
                    self.jobs.append(await self.cluster.submit(self.toy))
            await clock.sleep(self.pause_seconds())


def jittered(seconds: float, seed: int = 1) -> Callable[[], float]:
    """Pauses around a length, the same in every run."""
    chooser = random.Random(seed)
    return lambda: seconds * chooser.uniform(0.5, 1.5)
