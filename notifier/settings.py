"""The notifier's own settings: table `[notifier]`, or HEADWAY_NOTIFIER__..."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from headway.runtime.settings import ListenAddress, Section, SharedSettings
from notifier.batching import BatchRules


class NotifierSection(Section):
    """Where it listens, where messages go, and what makes one message."""

    listen: ListenAddress = ListenAddress("127.0.0.1:7073")
    """Where the health check is answered."""

    sink: Literal["log"] = "log"
    """Where messages go: `log` writes them into the log and, one line each, to standard output."""

    batch_window_seconds: float = Field(default=2.0, ge=0.0, le=60.0)
    """How long the first event of a message waits for others. Too low: many messages. Too high: late ones."""

    max_sections: int = Field(default=10, ge=1, le=10)
    """Events in one message; Discord takes ten."""

    late_after_seconds: float = Field(default=60.0, ge=1.0, le=86_400.0)
    """When an event older than this waits, ends of jobs are told before everything else."""

    @property
    def batch_rules(self) -> BatchRules:
        """The bounds of a message."""
        return BatchRules(
            window_seconds=self.batch_window_seconds,
            max_sections=self.max_sections,
            late_after=timedelta(seconds=self.late_after_seconds),
        )


class NotifierSettings(SharedSettings):
    """All settings of the notifier."""

    notifier: NotifierSection = NotifierSection()
