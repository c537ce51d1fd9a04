"""The threads in which the gateway touches its disk, so that the event loop never waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DiskThreads:
    """A few threads with an end: leaving the context waits for what runs."""

    def __init__(self, num_threads: int = 4) -> None:
        """Args: num_threads: more than the disk can use only costs memory."""
        self._executor = ThreadPoolExecutor(num_threads, thread_name_prefix="disk")
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closed = True
        self._executor.shutdown(wait=True)

    def start(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin work in a thread; give the future to `finish`."""
        if not self._is_closed:
            return asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *args, **kwargs))
        # The clean-up of a call that outlived the server: nobody else needs the event loop any more.
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        done.set_result(work(*args, **kwargs))
        return done

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work in a thread and wait for it."""
        return await finish(self.start(work, *args, **kwargs))


async def finish(future: asyncio.Future[T]) -> T:
    """Wait for work in a thread, to its end even when the waiter is cancelled.

    A thread cannot be cancelled. If the waiter went on at once, its clean-up would race with the thread over the file.
    """
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            await asyncio.wait([future])
        if not future.cancelled():
            # Whatever came of the work, nobody is left to be told.
            future.exception()
        raise
