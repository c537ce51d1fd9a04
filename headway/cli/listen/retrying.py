"""Whether and when a command that failed is tried again; pure."""

from dataclasses import dataclass

_LONGEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often and how soon.

    Attributes:
        retries: tries behind the first.
        first_wait_seconds: before the second try; twice as long before each further one, up to a minute.
    """

    retries: int
    first_wait_seconds: float

    def wait_seconds(self, num_tried: int) -> float | None:
        """How long to wait before the next try; None when it is given up."""
        if num_tried > self.retries:
            return None
        doubled: float = self.first_wait_seconds * 2.0 ** min(num_tried - 1, 30)
        return min(_LONGEST_SECONDS, doubled)
