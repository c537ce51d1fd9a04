"""One process under a supervisor: tied to it, apart from its terminal, its output in a log file."""

import asyncio
import os
from asyncio.subprocess import DEVNULL, STDOUT, Process
from pathlib import Path
from typing import Self

from headway.cli.stack.services import ServicePlan
from headway.runtime.tether import tethered

MAX_LOG_BYTES = 16 * 1024 * 1024


class ServiceProcess:
    """A running service."""

    def __init__(self, plan: ServicePlan, process: Process) -> None:
        self.plan = plan
        self._process = process

    @classmethod
    async def start(cls, plan: ServicePlan, log_file: Path) -> Self:
        """Start a service; returns before it is ready. Raises OSError."""
        rotate(log_file)
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *tethered(plan.command),
                stdin=DEVNULL,
                stdout=descriptor,
                stderr=STDOUT,
                env=dict(plan.environment),
                # Ctrl-C in the terminal is for the supervisor alone: it knows the order to stop in.
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return cls(plan, process)

    @property
    def pid(self) -> int:
        """Of the service itself: the tether becomes it."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask it to end in order."""
        if self.is_alive:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        if self.is_alive:
            self._process.kill()


def rotate(log_file: Path) -> None:
    """Keep one older log file beside the present one, so that logs stay bounded over restarts."""
    if log_file.exists() and log_file.stat().st_size > MAX_LOG_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))


def last_lines(log_file: Path, num_lines: int = 12) -> list[str]:
    """The end of a log file, for a person who has to find out why a service does not start."""
    try:
        with log_file.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16 * 1024))
            return file.read().decode("utf-8", "replace").splitlines()[-num_lines:]
    except OSError:
        return []
