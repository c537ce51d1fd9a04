"""`headway up` and other `headway` commands as processes, as a user starts them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

READY = "ready after"
_UP_SECONDS = 60


@dataclass(frozen=True)
class Headway:
    """The command, bound to one home folder."""

    home: Path

    def __call__(self, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False, timeout=timeout, env=environment()
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command that goes on."""
        return subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "headway.cli", *arguments, "--home", str(self.home)]

    def pid_of(self, service: str) -> int:
        services = json.loads((self.home / "run.json").read_text(encoding="utf-8"))["services"]
        return int(services[service]["pid"])


def environment() -> dict[str, str]:
    """Of this process, without what a developer may have set for headway."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "TRAINING_"))}


@contextmanager
def up(headway: Headway, *arguments: str) -> Generator["subprocess.Popen[str]"]:
    """`headway up` on free ports, ready inside and stopped after."""
    process = headway.start("up", "--port", "0", *arguments)
    try:
        wait_for_line(process, READY)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_UP_SECONDS)


def wait_for_line(process: "subprocess.Popen[str]", words: str) -> str:
    """Read stderr up to the line that has these words; the test's own time limit bounds it."""
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError(f"ended without {words!r}:\n{''.join(seen)}")


def descendants(pid: int) -> list[psutil.Process]:
    """Every process below one, however deep."""
    return psutil.Process(pid).children(recursive=True)
