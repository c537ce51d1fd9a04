"""The agent's side of its child processes: start, talk, watch, kill. Imports no torch."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Self

from trainer_host.child_messages import (
    LINE_LIMIT_BYTES,
    ChildMessage,
    Hello,
    RunAttempt,
    Stop,
    decode_from_child,
    encode,
)
from trainer_host.fork_server_client import ForkServer

KILLED = -int(signal.SIGKILL)


class ChildDied(Exception):
    """The child is gone; `returncode` tells how, when that is known."""

    def __init__(self, returncode: int | None) -> None:
        self.returncode = returncode
        super().__init__(f"the child process died (exit code {returncode})")


class ChildProcess:
    """One child: says `Hello`, runs one attempt, and exits."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._connections: _Connections | None = None
        self._hello: Hello | None = None
        self._pid = 0
        self._returncode: int | None = None
        self._killed = False

    @property
    def pid(self) -> int:
        """Its process id; 0 until it is forked."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """How it ended, negative for a signal; None while it lives or its end is not yet known."""
        return self._returncode

    async def start(self) -> None:
        """Ask for the fork. Returns before the child is ready: wait for `hello`."""
        pipe, pipe_of_child = socket.socketpair()
        status, status_of_server = socket.socketpair()
        with pipe_of_child, status_of_server:
            self._server.request_child(pipe_of_child, status_of_server)
        self._connections = _Connections(pipe=await _Pipe.over(pipe), status=await _Pipe.over(status))

    async def hello(self) -> Hello:
        """Wait for the child's first message.

        Raises:
            ChildDied: it ended before.
        """
        if self._hello is None:
            await self._await_fork()
            message = await self._read()
            if not isinstance(message, Hello):
                raise ChildDied(await self.wait())
            self._hello = message
        return self._hello

    async def send(self, message: RunAttempt | Stop) -> None:
        """Write a message.

        Raises:
            ChildDied: nobody reads it any more.
        """
        if self._returncode is not None:
            raise ChildDied(self._returncode)
        writer = self._started().pipe.writer
        try:
            writer.write(encode(message))
            await writer.drain()
        except OSError:
            raise ChildDied(self._returncode) from None

    async def messages(self) -> AsyncGenerator[ChildMessage, None]:
        """Every message after `Hello`; ends when the child is dead and all that it wrote was read."""
        await self.hello()
        while (message := await self._read()) is not None:
            if isinstance(message, Hello):
                self.kill()
                break
            yield message
        await self.wait()

    def kill(self) -> None:
        """End it at once. Harmless when it has ended."""
        self._killed = True
        if self._pid and self._returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until it has ended and was reaped; returns its exit code."""
        await self._await_fork()
        status = self._started().status
        async with status.lock:
            while self._returncode is None:
                self._note(await status.reader.readline())
        return self._returncode

    async def close(self) -> None:
        """Kill it, wait for its end, and close its pipe."""
        self.kill()
        if self._connections is not None:
            await self.wait()
            await self._connections.pipe.close()
            await self._connections.status.close()

    async def _await_fork(self) -> None:
        status = self._started().status
        async with status.lock:
            if not self._pid and self._returncode is None:
                self._note(await status.reader.readline())
        if self._killed:
            self.kill()

    def _note(self, line: bytes) -> None:
        """Take in a word of the fork server about this child."""
        word, _, number = line.decode().partition(" ")
        if word == "forked":
            self._pid = int(number)
        elif word == "exited":
            self._returncode = int(number)
        else:
            # The server died without a last word, and the kernel killed its children with it.
            self._returncode = KILLED

    def _started(self) -> "_Connections":
        if self._connections is None:
            raise ChildDied(None)
        return self._connections

    async def _read(self) -> Hello | ChildMessage | None:
        """The next message; None at the end, which is also where a child that talks nonsense is brought to."""
        try:
            line = await self._started().pipe.reader.readline()
            return decode_from_child(line) if line.endswith(b"\n") else None
        except (ValueError, OSError):
            self.kill()
            return None


@dataclass(frozen=True, slots=True)
class _Pipe:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lock: asyncio.Lock

    @classmethod
    async def over(cls, connection: socket.socket) -> Self:
        reader, writer = await asyncio.open_connection(sock=connection, limit=LINE_LIMIT_BYTES)
        return cls(reader, writer, asyncio.Lock())

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@dataclass(frozen=True, slots=True)
class _Connections:
    pipe: _Pipe
    status: _Pipe
