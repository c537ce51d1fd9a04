"""When each event of a replay is due; pure."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a replay goes.

    Attributes:
        speed: times as fast as it was; AT_ONCE waits for nothing.
        longest_seconds: the longest wait between two events, however long it really was.
    """

    speed: float
    longest_seconds: float

    def gap_seconds(self, earlier: datetime, later: datetime) -> float:
        """How long to wait between two events; nothing where clocks of two machines put them the wrong way round."""
        if math.isinf(self.speed):
            return 0.0
        return min(self.longest_seconds, max(0.0, (later - earlier).total_seconds() / self.speed))


def occurred(text: str, stored: datetime) -> datetime:
    """When an event happened: as it says itself, or when it was stored if it says nothing that can be read."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return stored
    return moment.astimezone(UTC) if moment.tzinfo is not None else stored
