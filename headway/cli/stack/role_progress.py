"""Shows how far long work is, once it has taken two seconds."""

from typing import Self

from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from headway.cli.stack.gateway_role import Progress as Said
from headway.cli.view.consoles import err, say
from headway.cli.view.words import size_text
from headway.runtime.clock import Clock

SHOWN_AFTER_SECONDS = 2.0
_LINE_EVERY_SECONDS = 10.0


class RoleProgress:
    """One bar for each part of the work; where there is no terminal, a line every ten seconds."""

    def __init__(self, clock: Clock) -> None:
        """Args: clock: tells when two seconds have passed."""
        self._clock = clock
        self._begin_seconds = clock.monotonic()
        self._said_seconds = self._begin_seconds
        self._bars = {
            "bytes": Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=err()),
            "records": Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=err()),
        }
        self._tasks: dict[str, TaskID] = {}
        self._drawn: Progress | None = None

    def __enter__(self) -> Self:
        """Begin to count the time."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._drawn is not None:
            self._drawn.stop()

    def show(self, said: Said) -> None:
        """Show how far it is."""
        now = self._clock.monotonic()
        if now - self._begin_seconds < SHOWN_AFTER_SECONDS:
            return
        if not err().is_terminal:
            self._say(said, now)
            return
        bar = self._bars[said.unit]
        if self._drawn is not bar:
            if self._drawn is not None:
                self._drawn.stop()
            bar.start()
            self._drawn = bar
        if said.what not in self._tasks:
            self._tasks[said.what] = bar.add_task(said.what, total=said.total)
        bar.update(self._tasks[said.what], completed=said.done)

    def _say(self, said: Said, now: float) -> None:
        if now - self._said_seconds < _LINE_EVERY_SECONDS:
            return
        self._said_seconds = now
        done, total = (
            (size_text(said.done), size_text(said.total)) if said.unit == "bytes" else (str(said.done), str(said.total))
        )
        say(f"{said.what}: {done} of {total}", "dim")
