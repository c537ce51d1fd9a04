"""How a service starts, runs its named loops, drains and ends.

Every background loop has a name, an owner (the service) and an end: the death of one stops the service, because a
service that has lost a loop looks alive and does nothing. Nothing else in headway starts tasks.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Never, Protocol, Self, TypeVar

from headway.contract.errors import HeadwayError
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.logs import get_logger

_log = get_logger(__name__)
T = TypeVar("T")

_THREADS_LIMIT_SECONDS = 0.4
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class LoopEnded(Exception):
    """A loop returned; loops run until they are cancelled."""


class Spawner(Protocol):
    """Starts short tasks that the service owns."""

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `work` beside the loops; an exception is logged and hurts nobody else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainLimits:
    """How long each part of the end may take; together they stay under ten seconds.

    Attributes:
        hooks_seconds: for `on_drain` hooks: calls in flight end, watchers are told.
        loops_seconds: for loops and spawned tasks to end once cancelled.
        resources_seconds: for connections and servers to close.
        total_seconds: after this the process is ended by force, whatever it is doing.
    """

    hooks_seconds: float = 6.0
    loops_seconds: float = 1.5
    resources_seconds: float = 1.5
    total_seconds: float = 9.5


def _spare_the_collector() -> None:
    """Keep what the start made out of the collector's sight, and let it look less often.

    What a service has made by now lives as long as the service does. Walking over it again and again took a tenth of
    the processor time of a busy gateway (CreateJob, 940 to 840 microseconds).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Service:
    """One process: its resources, loops and drain hooks.

    Use as a context manager; inside, enter resources, name loops, then await `run`.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        limits: DrainLimits | None = None,
        exit_by_force: Callable[[int], None] = os._exit,
    ) -> None:
        self.name = name
        self.clock = clock or SystemClock()
        self.draining = asyncio.Event()
        self._limits = limits or DrainLimits()
        self._exit_by_force = exit_by_force
        self._resources = AsyncExitStack()
        self._loops: dict[str, Callable[[], Awaitable[None]]] = {}
        self._hooks: dict[str, Callable[[], Awaitable[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._starter: asyncio.Task[object] | None = None
        self._watchdog: threading.Timer | None = None
        self._exit_code = 0

    async def __aenter__(self) -> Self:
        """Take over SIGTERM and SIGINT."""
        self._starter = asyncio.current_task()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the resources in reverse order, within a limit."""
        try:
            async with asyncio.timeout(self._limits.resources_seconds):
                await self._resources.aclose()
        except TimeoutError:
            _log.error("resources did not close in time", service=self.name)
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
            for number in _SIGNALS:
                asyncio.get_running_loop().remove_signal_handler(number)

    async def enter(self, resource: AbstractAsyncContextManager[T]) -> T:
        """Open a resource that closes when the service ends; the last one opened closes first."""
        return await self._resources.enter_async_context(resource)

    def loop(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Name a loop that starts with `run` and returns only when cancelled. When it dies, the service stops."""
        if name in self._loops:
            raise ValueError(f"two loops are named {name}")
        self._loops[name] = run

    def on_drain(self, name: str, hook: Callable[[], Awaitable[None]]) -> None:
        """Name a hook for the time between the order to stop and the end of the loops; all hooks run at once."""
        self._hooks[name] = hook

    def fatal_when(self, event: asyncio.Event, what: str) -> None:
        """Stop the service with exit code 1 when `event` is set, such as a connection that is closed for good."""

        async def watch() -> None:
            await event.wait()
            raise RuntimeError(what)

        self.loop(f"watch: {what}", watch)

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run a short task that the service owns; an exception is logged and hurts nobody else.

        Raises:
            RuntimeError: the service is not running.
        """
        if self._group is None:
            work.close()
            raise RuntimeError(f"{name}: the service is not running")
        return self._own(self._group.create_task(self._guarded(name, work), name=name))

    def stop(self) -> None:
        """Begin to drain, as SIGTERM does."""
        if not self.draining.is_set():
            _log.info("draining", service=self.name)
            self._watchdog = threading.Timer(self._limits.total_seconds, self._force_exit)
            self._watchdog.daemon = True
            self._watchdog.start()
            self.draining.set()

    async def run(self) -> int:
        """Run the loops until a signal, `stop`, or the death of a loop; then drain.

        Returns:
            The exit code: 0 after a signal or `stop`, 1 after a death.
        """
        self._starter = None
        _spare_the_collector()
        _log.info("running", service=self.name)
        async with asyncio.TaskGroup() as group:
            self._group = group
            for name, run in self._loops.items():
                self._own(group.create_task(self._live(name, run), name=name))
            await self.draining.wait()
            await self._run_hooks(group)
            self._group = None
            await self._end_tasks()
        _log.info("stopped", service=self.name, exit_code=self._exit_code)
        return self._exit_code

    async def _live(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
            _raise_ended(name)
        except Exception:  # noqa: BLE001 - whatever it died of, the service has to end in order
            if self.draining.is_set():
                _log.warning("loop ended while draining", loop=name, exc_info=True)
                return
            _log.exception("loop died; the service stops", loop=name)
            self._exit_code = 1
            self.stop()

    async def _guarded(self, name: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - its owner lives on
            _log.exception("task failed", task=name)

    def _own(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run_hooks(self, group: asyncio.TaskGroup) -> None:
        hooks = [
            group.create_task(self._guarded(name, _awaiting(hook)), name=name) for name, hook in self._hooks.items()
        ]
        if not hooks:
            return
        _, late = await asyncio.wait(hooks, timeout=self._limits.hooks_seconds)
        for task in late:
            _log.warning("drain hook cut off", hook=task.get_name())
            task.cancel()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=self._limits.loops_seconds)
            for task in late:
                # The group waits for it; the watchdog ends that wait.
                _log.error("task does not end when cancelled", task=task.get_name())

    def _on_signal(self) -> None:
        if self.draining.is_set():
            self._exit_by_force(130)
        self.stop()
        if self._starter is not None:
            self._starter.cancel()

    def _force_exit(self) -> None:
        _log.error("did not stop in time; ended by force", service=self.name)
        sys.stderr.flush()
        self._exit_by_force(self._exit_code or 1)


def _raise_ended(name: str) -> Never:
    raise LoopEnded(name)


async def _awaiting(hook: Callable[[], Awaitable[None]]) -> None:
    await hook()


def run_service(main: Callable[[], Coroutine[object, object, int]]) -> int:
    """Run a service's main coroutine to its end; for `__main__`.

    Args:
        main: builds the service, runs it and returns its exit code.

    Returns:
        The exit code: main's own; 0 when told to stop while starting; 1 when it could not start.
    """

    async def body() -> int:
        code = await main()
        # A thread that never returns would hold up the interpreter's end.
        last_resort = threading.Timer(_THREADS_LIMIT_SECONDS, os._exit, (code,))
        last_resort.daemon = True
        last_resort.start()
        return code

    try:
        return asyncio.run(body())
    except asyncio.CancelledError:
        return 0
    except HeadwayError as error:
        _log.error("cannot start", reason=error.reason, why=error.message)
        return 1
