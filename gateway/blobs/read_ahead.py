"""Lets a thread write one batch of an upload while the next one is read."""

import asyncio
from collections.abc import Sequence

from gateway.blobs.disk_threads import DiskThreads, finish
from gateway.blobs.upload import Upload


class ReadAhead:
    """At most one batch is being written, and one is being read: that bounds an upload's memory."""

    def __init__(self, upload: Upload, threads: DiskThreads) -> None:
        """Args: upload: that has begun. threads: to write in."""
        self._upload = upload
        self._threads = threads
        self._busy: asyncio.Future[None] | None = None

    async def write(self, batch: Sequence[bytes]) -> None:
        """Begin to write a batch, once the one before is written; raises what went wrong with that one."""
        await self.drain()
        self._busy = self._threads.start(self._upload.write, batch)

    async def drain(self) -> None:
        """Wait until everything is written; raises what went wrong."""
        if self._busy is not None:
            await finish(self._busy)

    async def settle(self) -> bool:
        """Wait until nothing is being written any more; whether everything was written well. Never raises."""
        if self._busy is None:
            return True
        await asyncio.wait([self._busy])
        return not self._busy.cancelled() and self._busy.exception() is None
