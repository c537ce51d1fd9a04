"""Where an executor's progress, log lines and checkpoints go, and the throttle that keeps progress cheap."""

from typing import Protocol

from headway.contract.limits import PROGRESS_INTERVAL
from trainer_host.child_messages import Log, LogLevel, Progress, Saved


class Report(Protocol):
    """Takes what an attempt has to say while it lasts."""

    def progress(self, progress: Progress) -> None:
        """Take the newest progress."""
        ...

    def log(self, line: Log) -> None:
        """Take a line of the log."""
        ...

    def saved(self, checkpoint: Saved) -> None:
        """Take note of a checkpoint."""
        ...


class AttemptLog(Protocol):
    """Writes the attempt's log, as a recipe does."""

    def log(self, level: LogLevel, message: str, fields: dict[str, str] | None = None) -> None:
        """Write a line of any level."""
        ...

    def warn(self, message: str) -> None:
        """Write a sentence for the owner of the job."""
        ...


class MemoryReport:
    """Keeps everything; for tests and for running the executor by hand."""

    def __init__(self) -> None:
        self.progresses: list[Progress] = []
        self.lines: list[Log] = []
        self.checkpoints: list[Saved] = []

    def progress(self, progress: Progress) -> None:
        """Keep it."""
        self.progresses.append(progress)

    def log(self, line: Log) -> None:
        """Keep it."""
        self.lines.append(line)

    def saved(self, checkpoint: Saved) -> None:
        """Keep it."""
        self.checkpoints.append(checkpoint)


class Throttle:
    """Lets about ten reports a second through; the first of all always."""

    def __init__(self, interval_seconds: float = PROGRESS_INTERVAL.total_seconds()) -> None:
        self._interval_seconds = interval_seconds
        self._next_seconds = float("-inf")

    def is_due(self, now_seconds: float) -> bool:
        """Whether a report may pass at this monotonic time; taking note that it does."""
        if now_seconds < self._next_seconds:
            return False
        self._next_seconds = now_seconds + self._interval_seconds
        return True
