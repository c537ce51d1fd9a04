"""The processes that a benchmark measures, started and ended."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from headway.client.locate import running_address
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually

_START_SECONDS = 120.0


@asynccontextmanager
async def python_process(
    *arguments: str, environ: Mapping[str, str] | None = None, pipe: bool = False
) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """A Python process for the length of the block; its standard output is piped when asked for, else thrown away."""
    output = asyncio.subprocess.PIPE if pipe else asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **(environ or {})}, stdout=output, stderr=sys.stderr
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def port_printer(*arguments: str) -> AsyncGenerator[int, None]:
    """A Python process that prints its port in its first line; yields the port."""
    async with python_process(*arguments, pipe=True) as process:
        if process.stdout is None:
            raise RuntimeError("no standard output")
        yield int(await process.stdout.readline())


@asynccontextmanager
async def gateway(
    home: Path, server: NatsServer, environ: Mapping[str, str] | None = None
) -> AsyncGenerator[tuple[str, int], None]:
    """A gateway alone on a nats-server; yields its address and pid."""
    listen = {"HEADWAY_GATEWAY__LISTEN": "127.0.0.1:0"}
    async with _service("gateway", home, server, {**listen, **(environ or {})}) as running:
        yield running


@asynccontextmanager
async def scheduler(home: Path, server: NatsServer) -> AsyncGenerator[tuple[str, int], None]:
    """A scheduler on a nats-server; yields its address and pid."""
    async with _service("scheduler", home, server, {"HEADWAY_SCHEDULER__LISTEN": "127.0.0.1:0"}) as running:
        yield running


@asynccontextmanager
async def _service(
    name: str, home: Path, server: NatsServer, environ: Mapping[str, str]
) -> AsyncGenerator[tuple[str, int], None]:
    shared = {
        "HEADWAY_HOME": str(home),
        "HEADWAY_NATS_URL": server.url,
        "HEADWAY_NATS_MONITOR_URL": server.monitor_url,
        "HEADWAY_LOG_LEVEL": "warning",
    }
    async with python_process("-m", name, environ={**shared, **environ}) as process:
        address = ""

        def is_up() -> bool:
            nonlocal address
            address = running_address(home, name) or ""
            return bool(address)

        await eventually(is_up, timeout_seconds=_START_SECONDS)
        yield address, process.pid


def resident_mib(pid: int) -> float:
    """Resident memory of a process, MiB."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20
