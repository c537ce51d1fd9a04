"""A bad network between two processes: slow, torn, deaf one way or both, corrupting, refusing, as the test says."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum

_SEGMENT_BYTES = 16 * 1024


class Way(Enum):
    """A direction, seen from whoever dials: `UP` is towards the target."""

    UP = "up"
    DOWN = "down"


class _Connection:
    """Both ends of one connection through the link."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.is_forgotten = False
        self.is_torn = asyncio.Event()

    def tear(self) -> None:
        self.near.transport.abort()
        self.far.transport.abort()
        self.is_torn.set()

    def forget(self) -> None:
        """The target's end is gone, and the dialler is not told."""
        self.is_forgotten = True
        self.far.transport.abort()


class Link:
    """A TCP proxy; set its fields while it runs.

    Attributes:
        bytes_per_second: of each connection and way; 0 for as fast as it goes.
        delay_seconds: of each segment.
        corrupted_share: share of the segments in which one bit is flipped.
        corrupted_way: which segments; those towards the target when nobody says otherwise.
        is_refusing: connections are torn as soon as they are made, as where nobody listens.
        num_corrupted: segments that were damaged.
        num_connections: connections that were made.
        num_held: segments that were held back by a hole.
        address: where to dial.
    """

    def __init__(self, target: str, seed: int = 1) -> None:
        self.bytes_per_second = 0.0
        self.delay_seconds = 0.0
        self.corrupted_share = 0.0
        self.corrupted_way = Way.UP
        self.is_refusing = False
        self.num_corrupted = 0
        self.num_connections = 0
        self.num_held = 0
        self.address = ""
        self._target = target
        self._random = random.Random(seed)
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._is_open = {way: asyncio.Event() for way in Way}
        self.heal()

    # What a test does to it.

    def blackhole(self, *ways: Way) -> None:
        """Let nothing through and tell nobody: both ways when none is named.

        What is under way is held back and arrives when the link heals, as TCP sends it again. Connections that are made
        meanwhile are taken, and nothing comes through them.
        """
        for way in ways or Way:
            self._is_open[way].clear()

    def refuse(self) -> None:
        """Tear what is connected, and whatever connects until the link heals."""
        self.is_refusing = True
        self.reset()

    def reset(self) -> None:
        """Tear every connection down, as a router that was restarted does."""
        for connection in list(self._connections):
            connection.tear()

    def forget(self) -> None:
        """Make every connection half-open, as a firewall that lost its table does.

        The target's end is gone, and what the dialler sends is swallowed. Connections that are made later are good.
        """
        for connection in list(self._connections):
            connection.forget()

    def heal(self) -> None:
        """As good as new: holes and refusals end, speed and content are those of a wire."""
        self.bytes_per_second = self.delay_seconds = self.corrupted_share = 0.0
        self.is_refusing = False
        for is_open in self._is_open.values():
            is_open.set()

    # How it works.

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; see `linked`."""
        self.num_connections += 1
        self._tasks.add(task := asyncio.current_task())
        try:
            await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)

    async def close(self) -> None:
        """Tear what is left, and wait until it is."""
        self.heal()
        self.reset()
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = None if self.is_refusing else await self._dial()
        if onward is None:
            writer.transport.abort()
            return
        connection = _Connection(writer, onward[1])
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, connection, Way.UP))
                group.create_task(self._pump(onward[0], connection, Way.DOWN))
        finally:
            connection.tear()
            self._connections.discard(connection)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        host, _, port = self._target.rpartition(":")
        try:
            return await asyncio.open_connection(host, int(port))
        except OSError:
            return None

    async def _pump(self, reader: asyncio.StreamReader, connection: _Connection, way: Way) -> None:
        writer = connection.far if way is Way.UP else connection.near
        with suppress(OSError):
            while segment := await reader.read(_SEGMENT_BYTES):
                await asyncio.sleep(self.delay_seconds + self._transfer_seconds(len(segment)))
                await self._pass_hole(way)
                if connection.is_forgotten:
                    continue
                writer.write(self._corrupted(segment) if way is self.corrupted_way else segment)
                await writer.drain()
        # Whoever hangs up behind a hole is not heard to; nor is an end that was forgotten.
        await self._pass_hole(way)
        if way is Way.DOWN and connection.is_forgotten:
            await connection.is_torn.wait()
        writer.close()

    async def _pass_hole(self, way: Way) -> None:
        if not self._is_open[way].is_set():
            self.num_held += 1
            await self._is_open[way].wait()

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
async def linked(target: str, seed: int = 1, *, listen: str = "127.0.0.1") -> AsyncIterator[Link]:
    """A link to `host:port` for the length of the block; dialled on a free port of the address `listen`."""
    link = Link(target, seed)
    server = await asyncio.start_server(link.serve, listen, 0)
    link.address = f"{listen}:{server.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        server.close()
        await link.close()
