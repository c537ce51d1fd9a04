"""Which events go out together, and when. Pure.

What is told behind a silence goes out at once; what follows within the window is one message. Behind an outage, and in
quiet hours, each job is told in one piece, with the events that came before folded into the newest one, and jobs that
have ended go first, because people wait for those. So an end overtakes other jobs, and nothing of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.happening import Happening
from notifier.quiet_hours import QuietHours


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


@dataclass(frozen=True, slots=True)
class Group:
    """What becomes one section of a message.

    Attributes:
        head: the event that is told.
        earlier: events of the same job before it, told in a word.
    """

    head: Held
    earlier: tuple[Held, ...] = ()

    @property
    def is_end(self) -> bool:
        """Whether a job has ended with it."""
        return any(event.happening.is_terminal for event in self.events)

    @property
    def events(self) -> tuple[Held, ...]:
        """All of them, in order."""
        return (*self.earlier, self.head)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRules:
    """Bounds of a message.

    Attributes:
        window_seconds: least time between two messages.
        gather_seconds: how long the first event behind a silence waits for those that come with it.
        max_sections: sections in one message; Discord takes ten embeds.
        late_after: an event older than this means that there is something to catch up with.
        quiet: hours in which only ends are told.
        max_waiting: with so many events waiting the quiet hours count no more, because the stream has stopped behind
            them and would hide the ends that come.
    """

    window_seconds: float = 2.0
    gather_seconds: float = 0.1
    max_sections: int = 10
    late_after: timedelta = timedelta(minutes=1)
    quiet: QuietHours | None = None
    max_waiting: int = 4500


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When it is asked what to do.

    Attributes:
        now: by the wall clock; only to tell old events from new ones, and quiet hours from loud ones.
        now_seconds: by the monotonic clock.
        sent_seconds: when the message before was sent, by the monotonic clock; None when there was none.
    """

    now: datetime
    now_seconds: float
    sent_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send these now, as one message, in this order."""

    groups: tuple[Group, ...]

    @property
    def events(self) -> list[Held]:
        """Every event in it."""
        return [event for group in self.groups for event in group.events]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later.

    Attributes:
        seconds: after this; None: only when something comes.
        is_firm: whether nothing that may come could make it earlier.
    """

    seconds: float | None
    is_firm: bool = False


def next_step(held: Iterable[Held], rules: BatchRules, moment: Moment) -> Send | Wait:
    """What to do with the events that wait.

    Args:
        held: in any order.
        rules: see there.
        moment: see there.
    """
    waiting = sorted(held, key=lambda event: event.sequence)
    if not waiting:
        return Wait(None)
    quiet_seconds = rules.quiet.seconds_left(moment.now) if rules.quiet and len(waiting) < rules.max_waiting else 0.0
    is_late = any(moment.now - event.happening.occur_time > rules.late_after for event in waiting)
    groups = fold(waiting) if is_late or quiet_seconds else [Group(event) for event in waiting]
    if quiet_seconds:
        groups = [group for group in groups if group.is_end]
        if not groups:
            return Wait(quiet_seconds)
    closes = _closing_seconds(groups, rules, moment, is_late=is_late)
    if moment.now_seconds < closes and (is_late or len(groups) < rules.max_sections):
        return Wait(closes - moment.now_seconds, is_firm=is_late)
    return Send(tuple(groups[: rules.max_sections]))


def fold(events: Iterable[Held]) -> list[Group]:
    """One group for each job and for each event that is about none; ended jobs first, each part in its order.

    Args:
        events: in any order.
    """
    jobs: dict[tuple[str, str, int], list[Held]] = {}
    for event in sorted(events, key=lambda event: event.sequence):
        happening = event.happening
        alone = 0 if happening.transition_number else event.sequence
        jobs.setdefault((happening.project, happening.job_id, alone), []).append(event)
    groups = [Group(of_job[-1], tuple(of_job[:-1])) for of_job in jobs.values()]
    return sorted(groups, key=lambda group: (not group.is_end, group.head.sequence))


def _closing_seconds(groups: Sequence[Group], rules: BatchRules, moment: Moment, *, is_late: bool) -> float:
    """When the message closes that the first of these would open."""
    first = min(group.head.arrival_seconds for group in groups)
    if is_late:
        # All that waits must be seen before anything is said.
        return first + rules.window_seconds
    opens = moment.sent_seconds + rules.window_seconds if moment.sent_seconds is not None else first
    return max(opens, first + min(rules.gather_seconds, rules.window_seconds))
