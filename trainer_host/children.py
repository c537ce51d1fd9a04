"""Children at hand: one is always warm, so that an attempt begins milliseconds after its order.

A child serves one attempt. A fresh one costs a fork, some tens of milliseconds, and in return no attempt ever meets the
memory, the random state, the threads or the leaks of another. The next one is made when the running attempt has begun
to speak, so that its making does not delay that attempt's first line.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from trainer_host.child_messages import ChildMessage, Hello, RunAttempt, Stop
from trainer_host.child_process import ChildDied
from trainer_host.retries import Pace, retrying

_log = get_logger(__name__)
_HELLO_SECONDS = 120.0
"""The first child of a start imports torch, which takes 2 to 20 s."""
_PACE = Pace(first_seconds=0.5, longest_seconds=30.0)


class Child(Protocol):
    """What the agent asks of a child; `ChildProcess` is the real one."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """None while it lives; negative for the signal that ended it."""
        ...

    async def start(self) -> None:
        """Fork it."""
        ...

    async def hello(self) -> Hello:
        """Its first message; raises ChildDied when it dies before."""
        ...

    async def send(self, message: RunAttempt | Stop) -> None:
        """Order something; raises ChildDied when nobody listens."""
        ...

    def messages(self) -> AsyncGenerator[ChildMessage, None]:
        """What it says; ends with its death."""
        ...

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        ...

    async def wait(self) -> int:
        """Its exit code, once it is dead and reaped."""
        ...

    async def close(self) -> None:
        """Kill it, reap it, close its pipe."""
        ...


class ChildPool:
    """Hands out warm children. `run` makes them and is a loop of the service."""

    def __init__(self, new_child: Callable[[], Child], clock: Clock, *, news: asyncio.Event) -> None:
        """Make nothing yet.

        Args:
            new_child: a child that is not started.
            clock: for the waits between tries.
            news: set when `facts` changed.
        """
        self.known = asyncio.Event()
        """Set when the first child has told, or failed to tell, what this host can do."""
        self.facts = Hello(pid=0, torch_problem="no child process has started yet")
        self._new_child = new_child
        self._news = news
        self._clock = clock
        self._warm: Child | None = None
        self._is_warm = asyncio.Event()
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()
        self._is_taken = asyncio.Event()
        self._is_making = False

    async def run(self) -> None:
        """Keep one child warm, for ever; at the end no child is left that nobody took."""
        try:
            while True:
                await self._is_wanted.wait()
                self._is_wanted.clear()
                self._warm = await self._make()
                self._is_taken.clear()
                self._is_warm.set()
                await self._watch(self._warm)
        finally:
            if self._warm is not None:
                await self._warm.close()

    async def take(self) -> Child:
        """A warm child, at once when one is ready; the caller closes it."""
        while True:
            self._want_when_cold()
            await self._is_warm.wait()
            child, self._warm = self._warm, None
            self._is_warm.clear()
            self._is_taken.set()
            if child is not None and child.returncode is None:
                return child

    def replenish(self) -> None:
        """Make the next one now."""
        self._want_when_cold()

    def _want_when_cold(self) -> None:
        if self._warm is None and not self._is_making:
            self._is_wanted.set()

    async def _make(self) -> Child:
        self._is_making = True
        try:
            async for attempt in retrying("starting a child", self._clock, _PACE, _may_pass):
                with attempt:
                    return await self._start_one()
        finally:
            self._is_making = False
        raise AssertionError("the retry loop returns or raises")

    async def _start_one(self) -> Child:
        child = self._new_child()
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await child.start()
                self._learn(await child.hello())
        except BaseException as error:
            await child.close()
            if _may_pass(error):
                self._learn(Hello(pid=0, torch_problem=f"child processes do not start: {error}"))
            raise
        return child

    def _learn(self, facts: Hello) -> None:
        facts = facts.model_copy(update={"pid": 0})
        self.known.set()
        if facts != self.facts:
            self.facts = facts
            self._news.set()

    async def _watch(self, child: Child) -> None:
        """Return when the warm child was taken, or has died and must be replaced."""
        async with asyncio.TaskGroup() as group:
            death = group.create_task(child.wait())
            taken = group.create_task(self._is_taken.wait())
            await asyncio.wait([death, taken], return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
            taken.cancel()
        if self._warm is child:
            _log.warning("the warm child died; starting another", returncode=child.returncode)
            self._warm = None
            self._is_warm.clear()
            self._is_wanted.set()
            await child.close()


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ChildDied | OSError | TimeoutError)
