"""Doubles of what surrounds an attempt: time that does not wait, and a child that does as the test says."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from headway.contract.ids import JobName, new_job_id
from trainer_host.attempt_key import AttemptKey
from trainer_host.child_messages import ChildMessage, Hello, RecipeReport, RunAttempt, Stop
from trainer_host.child_process import ChildDied

HELLO = Hello(pid=1, torch_version="2.13.0", recipes=(RecipeReport(kind="toy", available=True),))


class HastyClock:
    """Sleeps take no time; how long they should have been is kept."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self._elapsed_seconds = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        return self._elapsed_seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._elapsed_seconds += seconds
        await asyncio.sleep(0)

    async def wait_for_event(self, event: asyncio.Event, timeout_seconds: float) -> bool:
        """In real time, at most half a second, since what sets the event is real."""
        try:
            async with asyncio.timeout(min(timeout_seconds, 0.5)):
                await event.wait()
        except TimeoutError:
            self._elapsed_seconds += timeout_seconds
            return event.is_set()
        return True


class FakeChild:
    """Says what the test puts into `says`; `None` is its end."""

    def __init__(self, *, dies_at_start: bool = False, obeys: ChildMessage | None = None) -> None:
        self.says: asyncio.Queue[ChildMessage | None] = asyncio.Queue()
        self.heard: list[RunAttempt | Stop] = []
        self.hello_message = HELLO
        self.returncode: int | None = None
        self.pid = 4711
        self.is_closed = False
        self._dies_at_start = dies_at_start
        self._obeys = obeys
        self._is_dead = asyncio.Event()

    async def start(self) -> None:
        if self._dies_at_start:
            self.die(1)

    async def hello(self) -> Hello:
        if self.returncode is not None:
            raise ChildDied(self.returncode)
        return self.hello_message

    async def send(self, message: RunAttempt | Stop) -> None:
        if self.returncode is not None:
            raise ChildDied(self.returncode)
        self.heard.append(message)
        if isinstance(message, Stop) and self._obeys is not None:
            self.says.put_nowait(self._obeys)

    async def messages(self) -> AsyncGenerator[ChildMessage, None]:
        while (message := await self.says.get()) is not None:
            yield message

    def die(self, returncode: int) -> None:
        if self.returncode is None:
            self.returncode = returncode
            self._is_dead.set()
            self.says.put_nowait(None)

    def kill(self) -> None:
        self.die(-9)

    async def wait(self) -> int:
        await self._is_dead.wait()
        assert self.returncode is not None
        return self.returncode

    async def close(self) -> None:
        self.kill()
        self.is_closed = True


def a_key(attempt: int = 1) -> AttemptKey:
    return AttemptKey(JobName("p", new_job_id()).name, attempt)
