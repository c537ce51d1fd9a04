"""Which live message to make or edit, and when. Pure: what was heard goes in, the next step comes out.

A run has one live message. It is edited at most once in `edit_seconds`, only when it looks different, and a heartbeat
makes it look different from time to time. Of a run only the newest is kept, and ended runs are dropped.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from headway.contract.ids import JobName
from notifier.discord.bar import Curve
from notifier.discord.run_embed import Extras, Heartbeat
from notifier.discord.run_view import RunProgress, RunView

LEAVING_NOTE = "Not watched any more."
_BEFORE_THE_START = frozenset({"QUEUED"})
_RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRules:
    """The bounds.

    Attributes:
        edit_seconds: least time between two edits of one message.
        first_seconds: from hearing of a run to its message, which so comes behind the one that says that it has
            started; a run that is over sooner gets none.
        heartbeat_seconds: how often a run says that it goes on.
        look_again_seconds: pause after the gateway did not answer.
        max_runs: more runs than this at once have no live message.
    """

    edit_seconds: float = 15.0
    first_seconds: float = 1.0
    heartbeat_seconds: float = 300.0
    look_again_seconds: float = 5.0
    max_runs: int = 500


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the gateway about this run."""

    name: JobName


@dataclass(frozen=True, slots=True)
class Show:
    """Make or edit the message of this run."""

    name: JobName


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before this long, or before something is heard; None: only then."""

    seconds: float | None


@dataclass(slots=True)
class _Run:
    name: JobName
    look_at: float | None
    view: RunView | None = None
    curve: Curve = field(default_factory=Curve)
    message_id: str = ""
    gone_id: str = ""
    digest: str = ""
    shown_at: float = -math.inf
    is_changed: bool = False
    beat_at: float = math.inf
    heartbeat: Heartbeat | None = None
    newest: RunProgress = field(default_factory=RunProgress)

    def showing_at(self, rules: LiveRules) -> float | None:
        """When the message is to be made or edited; None when there is nothing to show."""
        if self.view is None:
            return None
        may_be_shown = self.shown_at + rules.edit_seconds
        if self.is_changed:
            return may_be_shown
        return max(self.beat_at, may_be_shown) if self.is_running and math.isfinite(self.beat_at) else None

    @property
    def is_running(self) -> bool:
        """Whether there is a heart to beat."""
        return self.view is not None and self.view.state == _RUNNING


class LiveRuns:
    """The runs that have a live message or are about to. `now_seconds` is monotonic everywhere."""

    def __init__(self, rules: LiveRules, is_watched: Callable[[str], bool]) -> None:
        """Watched runs only, as `is_watched` says of a job's name."""
        self._rules = rules
        self._is_watched = is_watched
        self._runs: dict[JobName, _Run] = {}
        self._may_look_at = -math.inf

    def __len__(self) -> int:
        return len(self._runs)

    def restore(self, name: JobName, message_id: str, *, now_seconds: float) -> None:
        """Go on with the message of a life before."""
        run = self._track(name, now_seconds)
        if run is not None:
            run.message_id, run.shown_at = message_id, -math.inf

    def hear(self, name: JobName, *, now_seconds: float) -> None:
        """Something about the run has changed: the gateway knows what."""
        run = self._track(name, now_seconds) if self._is_watched(name.name) else self._runs.get(name)
        if run is not None:
            run.look_at = now_seconds

    def hear_progress(self, name: JobName, progress: RunProgress, *, now_seconds: float) -> None:
        """Take the newest progress of a run; older than what is known is passed over."""
        run = self._runs.get(name)
        if run is None and self._is_watched(name.name):
            run = self._track(name, now_seconds)
        if run is None or progress.is_behind(run.newest):
            return
        if progress.attempt > run.newest.attempt:
            # Another attempt may be at another host, in another mode.
            run.look_at = now_seconds if run.look_at is None else min(run.look_at, now_seconds)
        run.newest = progress
        run.curve.add(progress.loss)
        run.is_changed = True

    def learn(self, name: JobName, view: RunView) -> None:
        """What the gateway answered."""
        run = self._runs.get(name)
        if run is None:
            return
        if not run.message_id and (view.is_over or view.state in _BEFORE_THE_START):
            del self._runs[name]  # Nothing to follow any more, or not yet: the event of its start brings it back.
            return
        run.look_at = None
        run.view = view
        if run.newest.is_behind(view.progress):
            run.newest = view.progress
        run.is_changed = True

    def look_failed(self, name: JobName, *, now_seconds: float) -> None:
        """The gateway did not answer: about no run is it asked again for a while."""
        self._may_look_at = now_seconds + self._rules.look_again_seconds
        if (run := self._runs.get(name)) is not None:
            # Behind the others, so that one run that cannot be asked about does not hide them.
            run.look_at = self._may_look_at

    def forget(self, name: JobName) -> None:
        """There is no such run, or its message has been edited for the last time."""
        self._runs.pop(name, None)

    def next_step(self, *, now_seconds: float) -> Look | Show | Rest:
        """What to do now: look first, then show the run whose message is oldest."""
        self._drop_unwatched()
        looks = [(max(run.look_at, self._may_look_at), run) for run in self._runs.values() if run.look_at is not None]
        shows = list(self._shows())
        due = [(at, run) for at, run in looks if at <= now_seconds]
        if due:
            return Look(min(due, key=lambda entry: entry[1].look_at or 0.0)[1].name)
        due = [(run.shown_at, run) for at, run in shows if at <= now_seconds]
        if due:
            return Show(min(due, key=lambda entry: entry[0])[1].name)
        waits = [at for at, _ in (*looks, *shows)]
        return Rest(max(0.0, min(waits) - now_seconds) if waits else None)

    def picture(self, name: JobName, *, now: datetime, now_seconds: float) -> tuple[RunView, Extras] | None:
        """What to show of a run; None when nothing is known of it. A heartbeat that is due is in it.

        What changes from now on, while Discord takes the picture, is not in it and makes the next one.
        """
        run = self._runs.get(name)
        if run is None or run.view is None:
            return None
        if now_seconds >= run.beat_at and run.is_running:
            self._beat(run, now, now_seconds)
        run.is_changed = False
        note = "" if self._is_watched(name.name) else LEAVING_NOTE
        return run.view.with_progress(run.newest), Extras(losses=run.curve.points, heartbeat=run.heartbeat, note=note)

    def place(self, name: JobName) -> tuple[str, str]:
        """The message's id and what it looks like; both empty before it is made."""
        run = self._runs.get(name)
        return (run.message_id, run.digest) if run is not None else ("", "")

    def gone(self, name: JobName) -> str:
        """The id of the message that vanished; empty when none did."""
        run = self._runs.get(name)
        return run.gone_id if run is not None else ""

    def shown(self, name: JobName, message_id: str, digest: str, *, now_seconds: float) -> bool:
        """The message was made or edited, or looks so already; whether it was for the last time."""
        run = self._runs.get(name)
        if run is None or run.view is None:
            return True
        run.message_id, run.digest = message_id, digest
        self._count_try(run, now_seconds)
        return run.view.is_over or not self._is_watched(name.name)

    def not_shown(self, name: JobName, *, now_seconds: float) -> None:
        """Discord did not take it; it is tried again when its turn comes."""
        if (run := self._runs.get(name)) is not None:
            run.is_changed = True
            self._count_try(run, now_seconds)

    def vanished(self, name: JobName) -> None:
        """There is no such message: another one is made."""
        if (run := self._runs.get(name)) is not None:
            run.gone_id, run.message_id, run.digest = run.message_id, "", ""
            run.is_changed = True

    def _count_try(self, run: _Run, now_seconds: float) -> None:
        run.shown_at = now_seconds
        if not math.isfinite(run.beat_at):
            run.beat_at = now_seconds + self._rules.heartbeat_seconds

    def _beat(self, run: _Run, now: datetime, now_seconds: float) -> None:
        before = run.heartbeat
        step = run.newest.step
        run.heartbeat = Heartbeat(
            time=now, step=step, num_steps=step - before.step if before is not None else 0, is_first=before is None
        )
        run.beat_at = now_seconds + self._rules.heartbeat_seconds
        # An event may have been missed; a look now and then finds out.
        run.look_at = now_seconds

    def _shows(self) -> Iterator[tuple[float, _Run]]:
        for run in self._runs.values():
            at = run.showing_at(self._rules)
            if at is not None:
                yield at, run

    def _drop_unwatched(self) -> None:
        for name, run in list(self._runs.items()):
            if self._is_watched(name.name):
                continue
            if run.message_id:
                run.is_changed = True
            else:
                del self._runs[name]

    def _track(self, name: JobName, now_seconds: float) -> _Run | None:
        known = self._runs.get(name)
        if known is None and len(self._runs) < self._rules.max_runs:
            known = _Run(name, look_at=now_seconds)
            known.shown_at = now_seconds + self._rules.first_seconds - self._rules.edit_seconds
            self._runs[name] = known
        return known
