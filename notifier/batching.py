"""Which events go out together, and when. Pure.

Several events within the window are one message. Behind an outage the ends of jobs go first, because people wait for
those; everything else follows in the order of the stream.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.happening import Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An event that waits to be told.

    Attributes:
        sequence: its place in the stream.
        happening: what it says.
        arrival_seconds: when it came, by the monotonic clock.
    """

    sequence: int
    happening: Happening
    arrival_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """Bounds of a message.

    Attributes:
        window_seconds: how long the first event of a message waits for others.
        max_sections: events in one message; Discord takes ten embeds.
        late_after: an event older than this means that there is something to catch up with.
    """

    window_seconds: float = 2.0
    max_sections: int = 10
    late_after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Send:
    """Send these now, as one message, in this order."""

    batch: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after this, or when something comes; None: only when something comes."""

    seconds: float | None


def next_step(held: Iterable[Held], rules: BatchRules, *, now: datetime, now_seconds: float) -> Send | Wait:
    """What to do with the events that wait.

    Args:
        held: in any order.
        rules: see there.
        now: of the wall clock; only to tell old events from new ones.
        now_seconds: of the monotonic clock.
    """
    waiting = sorted(held, key=lambda event: event.sequence)
    if not waiting:
        return Wait(None)
    closes = min(event.arrival_seconds for event in waiting) + rules.window_seconds
    is_late = any(now - event.happening.occur_time > rules.late_after for event in waiting)
    if now_seconds < closes and (is_late or len(waiting) < rules.max_sections):
        return Wait(closes - now_seconds)
    if is_late:
        # Ends and the rest in messages of their own: an end that comes with nine others is easily overlooked.
        ends = [event for event in waiting if event.happening.is_terminal]
        waiting = ends or waiting
    return Send(tuple(waiting[: rules.max_sections]))
