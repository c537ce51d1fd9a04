"""All of headway as real processes in a folder of its own, for end-to-end tests and benchmarks: a `headway up`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tenacity import RetryCallState, RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from headway.client.client import HeadwayClient

SERVICES = ("gateway", "scheduler", "trainer_host")
_START_LIMIT_SECONDS = 60.0
_STOP_LIMIT_SECONDS = 15.0
_LOOK_SECONDS = 0.05


class ClusterError(Exception):
    """The cluster did not start, or a part of it did not come; the message ends with what it printed."""


class Cluster:
    """One `headway up`; use as a context manager. Every port is free and on 127.0.0.1, every file below `folder`."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        """Prepare a cluster.

        Args:
            folder: an empty or missing folder of the caller's; left as it is at the end.
            environ: settings besides those that this class makes, such as HEADWAY_SCHEDULER__LEASE_SECONDS.
        """
        self.home = folder / "home"
        self._output = folder / "up.log"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")},
            "HEADWAY_HOME": str(self.home),
            "NO_COLOR": "1",
            **(environ or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def nats_url(self) -> str:
        """Where a plain NATS client connects."""
        return str(json.loads((self.home / "run.json").read_text(encoding="utf-8"))["nats_url"])

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which a command finds this cluster."""
        return dict(self._environ)

    def __enter__(self) -> Self:
        """Start everything and wait until it serves."""
        self.start()
        return self

    def start(self) -> None:
        """Start everything and wait until it serves; once more after `kill_everything`, on the same folder."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "headway.cli", "up", "--home", str(self.home), "--port", "0"]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._environ
            )
        for service in SERVICES:
            self.wait_for(service)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop everything, in order first and by force at last."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ClusterError(f"`headway up` did not stop on SIGTERM\n{self.output()}") from None

    @property
    def exit_code(self) -> int | None:
        """Of `headway up`; None while it runs."""
        return None if self._process is None else self._process.poll()

    def output(self) -> str:
        """What `headway up` has printed."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""

    def pid(self, service: str) -> int:
        """Process id of a service; 0 while it does not serve."""
        return int(self._run_file(service).get("pid", 0))

    def address(self, service: str) -> str:
        """host:port of a service that serves."""
        return str(self._run_file(service).get("address", ""))

    def wait_for(self, service: str, *, other_than: int = 0) -> int:
        """Wait until a service serves under another pid than `other_than`; returns its pid."""
        looks = Retrying(
            stop=_AfterDelayOrEnd(_START_LIMIT_SECONDS, self),
            wait=wait_fixed(_LOOK_SECONDS),
            retry=retry_if_result(lambda pid: pid in {0, other_than} or not is_alive(pid)),
        )
        try:
            return looks(self.pid, service)
        except RetryError:
            raise ClusterError(f"{service} did not come up\n{self.output()}") from None

    def kill(self, service: str) -> int:
        """Kill -9 a service; returns the pid it had."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_everything(self) -> None:
        """Kill -9 every process at once, the supervisor among them; what they started ends with them."""
        if self._process is None:
            return
        for pid in (self._process.pid, *self.pids().values()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def pids(self) -> dict[str, int]:
        """Process id by service, nats-server among them, of those that the supervisor says are up."""
        written = json.loads((self.home / "run.json").read_text(encoding="utf-8"))
        return {name: int(service["pid"]) for name, service in written["services"].items() if service["pid"]}

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[HeadwayClient, None]:
        """A client with the local key."""
        async with HeadwayClient.connect(home=self.home, address=self.address("gateway")) as client:
            yield client

    def run(self, *arguments: str, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a `headway` command against this cluster and wait for its end."""
        command = [sys.executable, "-m", "headway.cli", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, env=self._environ, check=False
        )

    def _run_file(self, service: str) -> dict[str, str]:
        try:
            written = json.loads((self.home / "run" / f"{service}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in written.items()}


class _AfterDelayOrEnd(stop_after_delay):
    """Stops looking after a delay, or at once when the cluster has ended."""

    def __init__(self, seconds: float, cluster: Cluster) -> None:
        super().__init__(seconds)
        self._cluster = cluster

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self._cluster.exit_code is not None or super().__call__(retry_state)


def is_alive(pid: int) -> bool:
    """Whether a process of this user runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
