"""One run of a person's command for one event: the event on its standard input, its names in the environment.

Nothing of the event ever stands on the command line, where the shell would read it as code.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass

from headway.cli.listen.event_names import short_name
from headway.cli.listen.heard import HeardEvent

_SHELL = "/bin/sh"
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended.

    Attributes:
        exit_code: 0 for done; 128 and the signal's number when a signal ended it, as shells say it.
        is_late: whether it was ended because its time was up.
    """

    exit_code: int
    is_late: bool = False

    @property
    def is_done(self) -> bool:
        """Whether the event needs no further try."""
        return self.exit_code == 0 and not self.is_late


class Command:
    """What is run; one at a time."""

    def __init__(self, text: str, timeout_seconds: float | None) -> None:
        """Args: text: for the shell. timeout_seconds: for one run; None for as long as it takes."""
        self.text = text
        self._timeout_seconds = timeout_seconds
        self._process: Process | None = None

    async def run(self, event: HeardEvent) -> Outcome:
        """Run it to its end; what it prints goes where ours goes.

        Raises:
            OSError: it cannot be started.
        """
        process = self._process = await asyncio.create_subprocess_exec(
            _SHELL,
            "-c",
            self.text,
            stdin=PIPE,
            env={**os.environ, **environment_of(event)},
            # Ctrl-C is for us alone: a command that has begun is allowed to end.
            process_group=0,
        )
        is_late = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await process.communicate(event.body + b"\n")
        except TimeoutError:
            is_late = True
            await self._stop(process)
        finally:
            self.kill()
            # Also when it is broken off: a process that nobody has waited for stays behind.
            code = await process.wait()
        self._process = None
        return Outcome(code if code >= 0 else 128 - code, is_late)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        self._send(signal.SIGKILL)

    async def _stop(self, process: Process) -> None:
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def environment_of(event: HeardEvent) -> dict[str, str]:
    """What the command finds in its environment; empty where the event has no such thing."""
    words: Mapping[str, str] = {
        "TYPE": event.event_type,
        "NAME": short_name(event.event_type),
        "ID": event.event_id,
        "TIME": event.time,
        "SUBJECT": event.about,
        "PROJECT": event.word("project"),
        "JOB": event.run_id,
        "KIND": event.word("kind"),
        "HOST": event.word("host"),
        "MODEL": event.word("model_version"),
        "REASON": event.word("reason"),
    }
    return {f"HEADWAY_EVENT_{name}": _fit(word) for name, word in words.items()}


def _fit(word: str) -> str:
    """As the environment can hold it: without NUL, and without halves of characters."""
    return word.replace("\0", "").encode("utf-8", "replace").decode()
