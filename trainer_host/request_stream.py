"""The requests of a streaming call, fed one at a time, with an end that comes for sure.

The write method of a grpc.aio call leaves a task behind for ever when the call fails, so calls are given an iterator.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class StreamOver(Exception):
    """The call has ended and takes no more requests."""


class RequestStream(Generic[T]):
    """Give `requests` to the stub, then `send`. `close` it from a callback of the call's end."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[T | None] = asyncio.Queue(maxsize=1)
        self._over = asyncio.Event()

    async def requests(self) -> AsyncIterator[T]:
        """What was sent, until the end; to be given to the stub."""
        while (request := await self._waiting.get()) is not None:
            yield request

    async def send(self, request: T) -> None:
        """Hand a request over; waits while the one before is still on its way.

        Raises:
            StreamOver: the call has ended; its answer says why.
        """
        await self._put(request)

    async def finish(self) -> None:
        """Say that nothing more comes; the call then answers.

        Raises:
            StreamOver: the call has ended already.
        """
        await self._put(None)

    def close(self) -> None:
        """The call is over: whoever still sends is told so, and the iterator ends."""
        if not self._over.is_set():
            self._over.set()
            while not self._waiting.empty():
                self._waiting.get_nowait()
            self._waiting.put_nowait(None)

    async def _put(self, request: T | None) -> None:
        if self._over.is_set():
            raise StreamOver
        if not self._waiting.full():
            self._waiting.put_nowait(request)
            return
        async with asyncio.TaskGroup() as group:
            putting = group.create_task(self._waiting.put(request))
            ending = group.create_task(self._over.wait())
            await asyncio.wait([putting, ending], return_when=asyncio.FIRST_COMPLETED)
            # What was taken counts, even when the call has ended since: its answer tells.
            was_taken = putting.done()
            putting.cancel()
            ending.cancel()
        if not was_taken:
            raise StreamOver
