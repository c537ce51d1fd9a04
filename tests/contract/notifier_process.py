"""A notifier as it runs in production: a process, its standard output, its health check."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from tests.health_checks import serving_status

_TOLD = re.compile(r"(Training \w+|Model evaluated): projects/\w+/jobs/(j\w{25})")


class ProcessEnded(Exception):
    """It ended by itself; with its log."""


class NotifierProcess:
    """Started by `run`."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.process = process
        self.log = log
        self.port = port
        self.lines: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def run(cls, nats: NatsServer, folder: Path, *, is_read: bool = True, **environ: str) -> AsyncIterator[Self]:
        """A process for the length of the block; killed at its end if it still runs.

        Args:
            nats: the server that it connects to.
            folder: for its home and its log.
            is_read: whether its standard output is read from the beginning.
            environ: further settings.
        """
        port, log = free_port(), _made(folder) / "notifier.log"
        settings = {
            "HEADWAY_HOME": str(folder / "home"),
            "HEADWAY_NATS_URL": nats.url,
            "HEADWAY_NATS_MONITOR_URL": nats.monitor_url,
            "HEADWAY_NOTIFIER__LISTEN": f"127.0.0.1:{port}",
            "HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS": "0.1",
            # Tests count single events, which a slow machine must not let grow old and be told in one piece.
            "HEADWAY_NOTIFIER__LATE_AFTER_SECONDS": "3600",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "DISCORD_"))}
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "notifier", env=inherited | settings | environ, stdout=PIPE, stderr=errors
            )
        running = cls(process, port, log)
        try:
            await eventually(running.is_serving, timeout_seconds=20.0)
            if is_read:
                running.read()
            yield running
        finally:
            await running.kill()

    def read(self) -> None:
        """Begin to read its standard output."""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode())

    @property
    def told(self) -> list[tuple[str, str]]:
        """Titles and jobs, in the order in which they were told."""
        return [(title, job) for line in self.lines for title, job in _TOLD.findall(line)]

    async def is_serving(self, service: str = "") -> bool:
        """What its health check says."""
        if self.process.returncode is not None:
            raise ProcessEnded(self.log.read_text(encoding="utf-8"))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            try:
                status = await serving_status(channel, service, timeout_seconds=1.0)
            except grpc.aio.AioRpcError:
                return False
        return bool(status == HealthCheckResponse.SERVING)

    async def stop(self) -> int:
        """End it in order; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = await self.process.wait()
        await self._drain_output()
        return code

    async def kill(self) -> None:
        """End it as a crash would."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._drain_output()

    async def _drain_output(self) -> None:
        if self._reading is not None:
            await self._reading


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
