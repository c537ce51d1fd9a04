"""When a training is to be saved: by the time and by the steps since the last checkpoint. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Cadence:
    """How often one attempt saves, and when it last did.

    A try that failed counts as one that did not: a full disk is not tried again at every step.

    Attributes:
        interval_seconds: longest time between two checkpoints.
        interval_steps: most steps between two checkpoints; 0 means that only time counts.
        last_seconds: monotonic time of the last checkpoint, or of the begin of training.
        last_step: optimizer steps done by then.
    """

    interval_seconds: float
    interval_steps: int
    last_seconds: float
    last_step: int

    def is_due(self, step: int, now_seconds: float) -> bool:
        """Whether to save now; never when nothing was trained since the last checkpoint."""
        if now_seconds - self.last_seconds < self.interval_seconds and (
            not self.interval_steps or step - self.last_step < self.interval_steps
        ):
            return False
        return step > self.last_step

    def note(self, step: int, now_seconds: float) -> None:
        """A checkpoint was tried at this step; the next is due an interval after the end of this try."""
        self.last_step = step
        self.last_seconds = now_seconds
