"""One process of a fault test: started, killed, frozen and started again, always on the same port."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from headway.cli.stack.readiness import is_ready
from headway.cli.stack.services import ServicePlan
from headway.runtime.tether import tethered
from headway.testing.eventually import eventually

START_LIMIT_SECONDS = 60.0
STOP_LIMIT_SECONDS = 20.0


class Proc:
    """A service as a process, tied to the test that started it. Not a coroutine means that it returns at once."""

    def __init__(self, plan: ServicePlan, folder: Path, monitor_url: str) -> None:
        """Prepare a process; nothing is started.

        Args:
            plan: command, environment and address.
            folder: its own: `home` and the log lie below it.
            monitor_url: of nats-server, for its readiness.
        """
        self.plan = plan
        self.folder = folder
        self.num_starts = 0
        self._monitor_url = monitor_url
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def name(self) -> str:
        """`nats-server`, `gateway`, `scheduler1`, `h1` ...: of the folder."""
        return self.folder.name

    @property
    def home(self) -> Path:
        """Its home folder."""
        return Path(self.plan.environment["HEADWAY_HOME"])

    @property
    def address(self) -> str:
        """host:port, the same over restarts."""
        return self.plan.address

    @property
    def pid(self) -> int:
        """Of the last process started."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended; a frozen one is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it lives."""
        return None if self._process is None else self._process.poll()

    @property
    def log_path(self) -> Path:
        """What it has printed, over all starts."""
        return self.folder / f"{self.name}.log"

    def log(self) -> str:
        """The same as text."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def start(self, environ: Mapping[str, str] | None = None) -> None:
        """Start it; `ready` waits until it serves.

        Args:
            environ: besides that of the plan, for this one start.
        """
        assert not self.is_alive, f"{self.name} runs already"
        self.num_starts += 1
        with self.log_path.open("ab") as log:
            # Tied to this process: however the test ends, nothing is left.
            self._process = subprocess.Popen(
                tethered(self.plan.command),
                env={**self.plan.environment, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    async def ready(self, timeout_seconds: float = START_LIMIT_SECONDS) -> None:
        """Wait until it serves; fails with the end of its log when it ends before."""

        async def look() -> bool:
            if not self.is_alive:
                raise RuntimeError(f"{self.name} ended with {self.exit_code}:\n{self.log()[-3000:]}")
            return await self.is_ready()

        try:
            await eventually(look, timeout_seconds=timeout_seconds, interval_seconds=0.03)
        except AssertionError as error:
            raise AssertionError(f"{self.name} is not ready: {error}\n{self.log()[-3000:]}") from None

    async def is_ready(self) -> bool:
        """Whether it serves now."""
        if not self.is_alive:
            return False
        return await is_ready(self.plan, self.pid, run_folder=self.home / "run", monitor_url=self._monitor_url)

    def signal(self, number: int) -> None:
        """Send a signal to the process alone, not to its children."""
        os.kill(self.pid, number)

    def kill9(self) -> None:
        """As a crash: the process alone. What it started has to notice by itself. Harmless when it has ended."""
        if self._process is not None and self.is_alive:
            self._process.kill()
            self._process.wait()

    def kill9_tree(self) -> None:
        """As a crash of the machine: the process and all that it started."""
        if not self.is_alive:
            return
        children = self.descendants()
        self.kill9()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    def stop(self) -> None:
        """Freeze the process and all that it started, as a closed laptop does (SIGSTOP)."""
        self.signal(signal.SIGSTOP)
        # What was being started in that moment is seen in the second look.
        for _ in range(2):
            self._signal_children(signal.SIGSTOP)

    def cont(self) -> None:
        """Let all that was frozen go on (SIGCONT). Harmless when nothing was."""
        if self.is_alive:
            self._signal_children(signal.SIGCONT)
            self.signal(signal.SIGCONT)

    async def terminate(self, timeout_seconds: float = STOP_LIMIT_SECONDS) -> int:
        """Ask it to end in order (SIGTERM); returns its exit code."""
        if self.is_alive:
            self.signal(signal.SIGTERM)
        return await self.ended(timeout_seconds)

    async def ended(self, timeout_seconds: float = STOP_LIMIT_SECONDS) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        await eventually(lambda: not self.is_alive, timeout_seconds=timeout_seconds)
        code = self.exit_code
        assert code is not None
        return code

    async def restart(self, environ: Mapping[str, str] | None = None) -> None:
        """Kill -9 it if it lives, start it, and wait until it serves.

        Args:
            environ: besides that of the plan, for this one start.
        """
        self.kill9()
        self.start(environ)
        await self.ready()

    def descendants(self) -> list[psutil.Process]:
        """What it started and what that started; empty when it has ended."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def close(self) -> None:
        """End it for good."""
        self.kill9_tree()

    def _signal_children(self, number: int) -> None:
        for child in self.descendants():
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)


async def all_ready(procs: "list[Proc]") -> None:
    """Wait until each of them serves."""
    await asyncio.gather(*(proc.ready() for proc in procs))
