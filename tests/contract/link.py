"""A bad network between two processes: slow, torn or corrupting, as the test says."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Link:
    """A TCP proxy on 127.0.0.1; set its fields while it runs."""

    def __init__(self, target: str, seed: int = 1) -> None:
        self.bytes_per_second = 0.0
        self.delay_seconds = 0.0
        self.corrupted_share = 0.0
        """Share of the segments towards the target in which one bit is flipped."""
        self.num_corrupted = 0
        self.num_connections = 0
        self.address = ""
        self._target = target
        self._random = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()

    def reset(self) -> None:
        """Tear every connection down, as a router that was restarted does."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        host, _, port = self._target.rpartition(":")
        try:
            onward_reader, onward_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, onward_writer}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, onward_writer, is_upward=True))
            group.create_task(self._pump(onward_reader, writer, is_upward=False))
        self._writers -= {writer, onward_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_upward: bool) -> None:
        with suppress(OSError):
            while segment := await reader.read(16 * 1024):
                await asyncio.sleep(self.delay_seconds + self._transfer_seconds(len(segment)))
                writer.write(self._corrupted(segment) if is_upward else segment)
                await writer.drain()
        writer.close()

    def _transfer_seconds(self, num_bytes: int) -> float:
        return num_bytes / self.bytes_per_second if self.bytes_per_second else 0.0

    def _corrupted(self, segment: bytes) -> bytes:
        if self._random.random() >= self.corrupted_share:
            return segment
        self.num_corrupted += 1
        damaged = bytearray(segment)
        damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)


@asynccontextmanager
async def linked(target: str, seed: int = 1) -> AsyncIterator[Link]:
    link = Link(target, seed)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        server.close()
        link.reset()
        await asyncio.sleep(0)
