"""`headway events tail`, `on` and `replay` as processes, and real events for them to hear."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headway.runtime.bus import Bus
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.v1.records_pb2 import JobRecord

READY_SECONDS = 30.0


async def publish(bus: Bus, *records: JobRecord) -> list[str]:
    """Every event of these jobs; their ids."""
    events = [event for record in records for event in events_of(record)]
    for event in events:
        await bus.publish(event.subject, event.body, message_id=event.message_id)
    return [event.message_id for event in events]


def job_id(record: JobRecord) -> str:
    """As people type it."""
    return record.job.name.rpartition("/")[2]


class Listener:
    """A running command; its output lies in files, so that it never waits for a reader."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return (self._folder / "out").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What it said to people so far."""
        return (self._folder / "err").read_text(encoding="utf-8")

    @property
    def ids(self) -> list[str]:
        """Ids of the CloudEvents that it printed, in order."""
        return [json.loads(line)["id"] for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    async def says(self, words: str) -> None:
        """Wait until it has said this."""

        def has_said() -> bool:
            assert self.process.poll() is None or words in self.err, self.err
            return words in self.err

        await eventually(has_said, timeout_seconds=READY_SECONDS)

    async def ready(self) -> None:
        """Wait until it listens."""
        await self.says("Ctrl-C ends")

    async def heard(self, ids: Sequence[str]) -> None:
        """Wait until it has printed these events, as often as they stand there and in this order."""

        def has_heard() -> bool:
            assert self.ids[: len(ids)] == ids[: len(self.ids)]
            return len(self.ids) >= len(ids)

        await eventually(has_heard, timeout_seconds=READY_SECONDS)

    def interrupt(self) -> None:
        """As Ctrl-C at a terminal does: everybody in the group of processes hears it."""
        os.killpg(self.process.pid, signal.SIGINT)

    async def ended(self) -> int:
        """Wait for its end; the exit code."""

        def has_ended() -> bool:
            return self.process.poll() is not None

        await eventually(has_ended, timeout_seconds=READY_SECONDS)
        return self.process.returncode


@contextmanager
def running(folder: Path, *arguments: str, **environ: str) -> Iterator[Listener]:
    """A command for the length of the block; `folder` is for its output and its home."""
    folder.mkdir(parents=True, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")}
    command = [sys.executable, "-m", "headway.cli", *arguments, "--home", str(folder / "home")]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env=inherited | environ, cwd=folder, process_group=0
        )
        try:
            yield Listener(process, folder)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
