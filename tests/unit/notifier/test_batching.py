"""What goes out together, and when."""

from datetime import UTC, datetime, timedelta

from notifier.batching import BatchRules, Held, Send, Wait, next_step
from notifier.happening import Happening
from tests.unit.notifier.doubles import a_finished_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RULES = BatchRules()


def held(happenings: list[Happening], *, arrivals: list[float] | None = None) -> list[Held]:
    times = arrivals or [0.0] * len(happenings)
    return [
        Held(sequence=number, happening=happening, arrival_seconds=arrival)
        for number, (happening, arrival) in enumerate(zip(happenings, times, strict=True), start=1)
    ]


def names(step: Send | Wait) -> list[str]:
    assert isinstance(step, Send)
    return [event.happening.event.rpartition(".")[2] for event in step.batch]


def test_nothing_to_tell_waits_for_an_event() -> None:
    assert next_step([], RULES, now=NOW, now_seconds=5.0) == Wait(None)


def test_several_events_within_two_seconds_are_one_message() -> None:
    waiting = held(happenings_of(a_finished_job(NOW)), arrivals=[10.0, 10.5, 11.0, 11.9])
    assert next_step(waiting[:1], RULES, now=NOW, now_seconds=10.0) == Wait(2.0)
    assert next_step(waiting, RULES, now=NOW, now_seconds=11.9) == Wait(12.0 - 11.9)
    step = next_step(waiting, RULES, now=NOW, now_seconds=12.0)
    assert names(step) == ["queued", "started", "evaluated", "completed"]


def test_a_full_message_does_not_wait() -> None:
    waiting = held([happening for _ in range(3) for happening in happenings_of(a_finished_job(NOW))])
    step = next_step(waiting, RULES, now=NOW, now_seconds=0.0)
    assert isinstance(step, Send)
    assert [event.sequence for event in step.batch] == list(range(1, 11))


def test_events_go_out_in_the_order_of_the_stream_whatever_order_they_came_in() -> None:
    waiting = held(happenings_of(a_finished_job(NOW)))
    assert names(next_step(reversed(waiting), RULES, now=NOW, now_seconds=2.0))[0] == "queued"


def test_ends_go_first_when_catching_up_and_nothing_is_left_out() -> None:
    """P26: behind an hour of outage the ends of jobs are what people wait for."""
    waiting = held([happening for _ in range(3) for happening in happenings_of(a_finished_job(NOW))])
    later = NOW + timedelta(hours=1)
    first = next_step(waiting, RULES, now=later, now_seconds=3600.0)
    assert names(first) == ["completed"] * 3
    assert isinstance(first, Send)
    rest = [event for event in waiting if event not in first.batch]
    second = next_step(rest, RULES, now=later, now_seconds=3600.0)
    assert names(second) == ["queued", "started", "evaluated"] * 3


def test_catching_up_looks_at_all_that_comes_before_it_speaks() -> None:
    waiting = held([happening for _ in range(5) for happening in happenings_of(a_finished_job(NOW))])
    later = NOW + timedelta(hours=1)
    assert next_step(waiting, RULES, now=later, now_seconds=0.5) == Wait(1.5)


def test_without_a_window_everything_goes_at_once() -> None:
    waiting = held(happenings_of(a_finished_job(NOW))[:1])
    assert names(next_step(waiting, BatchRules(window_seconds=0.0), now=NOW, now_seconds=0.0)) == ["queued"]


def test_a_wall_clock_that_jumps_back_changes_no_wait() -> None:
    """P22."""
    waiting = held(happenings_of(a_finished_job(NOW))[:1])
    step = next_step(waiting, RULES, now=NOW - timedelta(days=1), now_seconds=2.0)
    assert names(step) == ["queued"]
