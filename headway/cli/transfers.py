"""A bar for bytes on their way, drawn only where there is a terminal and something to wait for."""

from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from headway.cli.view.consoles import err, say
from headway.cli.view.words import size_text

# What is smaller is over before a bar could be read.
_FROM_BYTES = 4 * 1024 * 1024


class TransferBar:
    """One bar for each thing that is hashed, uploaded or downloaded; gone when all is done."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=err(), transient=True, disable=not err().is_terminal)
        self._drawn: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bars away."""
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        """Show how far something is, in bytes; without a terminal one line says that it began."""
        if total < _FROM_BYTES:
            return
        if what not in self._drawn:
            self._drawn[what] = self._progress.add_task(what, total=total)
            if not err().is_terminal:
                say(f"{what}, {size_text(total)} ...")
        self._progress.update(self._drawn[what], completed=done)
