"""The example subscribers as processes: programs of somebody else, which know docs/events.md and nothing of headway."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tests.contract.deployment import ROOT
from tests.contract.node import NODE, install

EXAMPLES = ROOT / "examples" / "subscribers"
_STOP_SECONDS = 30


class Printed(BaseModel):
    """One line that an example prints."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str
    time: str
    job: str
    sequence: int
    reason: str


@dataclass(frozen=True)
class Subscriber:
    """A program that runs."""

    process: "subprocess.Popen[bytes]"
    output: Path
    complaints: Path

    def printed(self) -> list[Printed]:
        """What it has printed so far, without a line that it is still writing."""
        lines = self.output.read_text(encoding="utf-8").splitlines(keepends=True)
        return [Printed.model_validate(json.loads(line)) for line in lines if line.endswith("\n")]

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_STOP_SECONDS)


def python_command(folder: Path) -> list[str]:
    """A copy in a folder of its own, where nothing of headway is beside it."""
    script = Path(shutil.copy(EXAMPLES / "python" / "subscriber.py", folder))
    return [sys.executable, str(script)]


def javascript_command(folder: Path) -> list[str]:
    """A copy with its packages installed, as its README says."""
    for name in ("package.json", "subscriber.js"):
        shutil.copy(EXAMPLES / "javascript" / name, folder)
    install(folder)
    return [str(NODE), str(folder / "subscriber.js")]


@contextmanager
def subscribing(command: list[str], folder: Path, environ: dict[str, str]) -> Iterator[Subscriber]:
    """The program for the length of the block."""
    output, complaints = folder / "printed.jsonl", folder / "complaints.txt"
    with output.open("ab") as out, complaints.open("ab") as err:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | environ, stdout=out, stderr=err)
    try:
        yield Subscriber(process, output, complaints)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(_STOP_SECONDS)
