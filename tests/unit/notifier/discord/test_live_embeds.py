"""Which live message is made or edited, and when."""

from dataclasses import replace
from datetime import UTC, datetime

from headway.contract.ids import JobName, new_job_id
from headway.testing.builders import a_claimed_record
from notifier.discord.live_embeds import LEAVING_NOTE, LiveRules, LiveRuns, Look, Rest, Show
from notifier.discord.run_view import RunProgress, RunView, view_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RULES = LiveRules(edit_seconds=15.0, heartbeat_seconds=300.0, look_again_seconds=5.0, max_runs=3)
NAME = JobName("demo", new_job_id())


class Watched:
    """Every run, but those that a test names."""

    def __init__(self) -> None:
        self.without: set[str] = set()

    def __call__(self, name: str) -> bool:
        return name not in self.without


def a_view(state: str = "RUNNING", *, is_over: bool = False) -> RunView:
    return replace(view_of(a_claimed_record().job), name=NAME, state=state, is_over=is_over)


def step(runs: LiveRuns, at: float) -> Look | Show | Rest:
    return runs.next_step(now_seconds=at)


def put(runs: LiveRuns, name: JobName, message_id: str, digest: str, *, at: float) -> bool:
    """Take the picture and show it; whether it was for the last time."""
    assert runs.picture(name, now=NOW, now_seconds=at) is not None
    return runs.shown(name, message_id, digest, now_seconds=at)


def shown_at(at: float, watched: Watched | None = None) -> LiveRuns:
    """A running run whose message was made at that time."""
    runs = LiveRuns(RULES, watched or Watched())
    runs.hear(NAME, now_seconds=at)
    runs.learn(NAME, a_view())
    put(runs, NAME, "m1", "digest", at=at)
    return runs


def progress(number: int, *, attempt: int = 1) -> RunProgress:
    return RunProgress(attempt=attempt, step=number, total_steps=100, loss=1.0 / (1 + number))


def test_the_gateway_is_asked_before_anything_is_shown() -> None:
    runs = LiveRuns(RULES, Watched())
    assert step(runs, 0.0) == Rest(None)
    runs.hear_progress(NAME, progress(1), now_seconds=0.0)
    assert step(runs, 0.0) == Look(NAME)
    runs.learn(NAME, a_view())
    assert step(runs, 0.0) == Rest(1.0)  # Behind the message that says that it has started.
    assert step(runs, 1.0) == Show(NAME)


def test_an_edit_waits_for_its_time_and_a_change() -> None:
    runs = shown_at(100.0)
    assert step(runs, 100.0) == Rest(300.0)
    runs.hear_progress(NAME, progress(5), now_seconds=101.0)
    assert step(runs, 101.0) == Rest(14.0)
    assert step(runs, 115.0) == Show(NAME)
    put(runs, NAME, "m1", "other", at=115.0)
    assert step(runs, 115.0) == Rest(285.0)


def test_a_failed_edit_counts_as_one() -> None:
    runs = shown_at(0.0)
    runs.hear_progress(NAME, progress(5), now_seconds=20.0)
    assert step(runs, 20.0) == Show(NAME)
    runs.not_shown(NAME, now_seconds=20.0)
    assert step(runs, 20.0) == Rest(15.0)


def test_what_is_heard_while_a_picture_is_on_its_way_makes_the_next_one() -> None:
    runs = shown_at(0.0)
    runs.hear_progress(NAME, progress(5), now_seconds=15.0)
    assert runs.picture(NAME, now=NOW, now_seconds=15.0) is not None
    runs.hear_progress(NAME, progress(6), now_seconds=15.1)
    runs.shown(NAME, "m1", "five", now_seconds=15.2)
    assert step(runs, 15.2) == Rest(15.0)
    assert step(runs, 30.2) == Show(NAME)


def test_only_the_newest_progress_counts() -> None:
    runs = shown_at(0.0)
    for number in (5, 9, 7):
        runs.hear_progress(NAME, progress(number), now_seconds=1.0)
    runs.hear_progress(NAME, progress(99, attempt=0), now_seconds=1.0)
    found = runs.picture(NAME, now=NOW, now_seconds=20.0)
    assert found is not None
    assert found[0].progress.step == 9
    assert len(found[1].losses) == 2


def test_another_attempt_is_looked_at() -> None:
    runs = shown_at(0.0)
    runs.hear_progress(NAME, progress(1, attempt=2), now_seconds=1.0)
    assert step(runs, 1.0) == Look(NAME)


def test_a_heartbeat_makes_it_look_different_from_time_to_time() -> None:
    runs = shown_at(0.0)
    assert step(runs, 299.0) == Rest(1.0)
    assert step(runs, 300.0) == Show(NAME)
    found = runs.picture(NAME, now=NOW, now_seconds=300.0)
    assert found is not None
    assert found[1].heartbeat is not None
    assert found[1].heartbeat.is_first
    assert step(runs, 300.0) == Look(NAME)  # And the gateway is asked what was missed.


def test_a_paused_run_has_no_heartbeat() -> None:
    runs = shown_at(0.0)
    runs.learn(NAME, a_view("PAUSED"))
    put(runs, NAME, "m1", "paused", at=20.0)
    assert step(runs, 10_000.0) == Rest(None)


def test_the_end_is_shown_and_then_forgotten() -> None:
    runs = shown_at(0.0)
    runs.hear(NAME, now_seconds=1.0)
    runs.learn(NAME, a_view("SUCCEEDED", is_over=True))
    assert step(runs, 15.0) == Show(NAME)
    assert put(runs, NAME, "m1", "end", at=15.0)
    runs.forget(NAME)
    assert len(runs) == 0


def test_runs_that_wait_or_are_over_get_no_message() -> None:
    runs = LiveRuns(RULES, Watched())
    for view in (a_view("QUEUED"), a_view("FAILED", is_over=True)):
        runs.hear(NAME, now_seconds=0.0)
        runs.learn(NAME, view)
        assert len(runs) == 0


def test_an_unwatched_run_is_left_with_a_note() -> None:
    watched = Watched()
    runs = shown_at(0.0, watched)
    watched.without.add(NAME.name)
    assert step(runs, 20.0) == Show(NAME)
    found = runs.picture(NAME, now=NOW, now_seconds=20.0)
    assert found is not None
    assert found[1].note == LEAVING_NOTE
    assert put(runs, NAME, "m1", "left", at=20.0)
    runs.forget(NAME)
    runs.hear(NAME, now_seconds=21.0)
    runs.hear_progress(NAME, progress(1), now_seconds=21.0)
    assert len(runs) == 0


def test_a_gateway_that_is_away_is_not_asked_about_one_run_after_the_other() -> None:
    runs = LiveRuns(RULES, Watched())
    other = JobName("demo", new_job_id())
    runs.hear(NAME, now_seconds=0.0)
    runs.hear(other, now_seconds=0.0)
    assert step(runs, 0.0) == Look(NAME)
    runs.look_failed(NAME, now_seconds=0.0)
    assert step(runs, 0.0) == Rest(5.0)
    assert step(runs, 5.0) == Look(other)


def test_a_message_that_vanished_is_made_anew() -> None:
    runs = shown_at(0.0)
    runs.vanished(NAME)
    assert (runs.place(NAME), runs.gone(NAME)) == (("", ""), "m1")
    assert step(runs, 15.0) == Show(NAME)


def test_a_restored_message_is_edited_and_not_made() -> None:
    runs = LiveRuns(RULES, Watched())
    runs.restore(NAME, "m7", now_seconds=0.0)
    assert step(runs, 0.0) == Look(NAME)
    runs.learn(NAME, a_view("FAILED", is_over=True))
    assert step(runs, 0.0) == Show(NAME)
    assert runs.place(NAME) == ("m7", "")


def test_runs_beyond_the_bound_have_no_live_message() -> None:
    runs = LiveRuns(RULES, Watched())
    for _ in range(10):
        runs.hear_progress(JobName("demo", new_job_id()), progress(1), now_seconds=0.0)
    assert len(runs) == 3


def test_the_oldest_picture_is_renewed_first() -> None:
    runs = LiveRuns(RULES, Watched())
    names = [JobName("demo", new_job_id()) for _ in range(3)]
    for at, name in enumerate(names):
        runs.hear(name, now_seconds=float(at))
        runs.learn(name, replace(a_view(), name=name))
        put(runs, name, f"m{at}", "d", at=float(10 - at))
        runs.hear_progress(name, progress(3), now_seconds=20.0)
    assert step(runs, 100.0) == Show(names[2])
