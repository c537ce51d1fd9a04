"""What goes out together, and when."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from notifier.batching import BatchRules, Held, Moment, Send, Wait, fold, next_step
from notifier.happening import Happening
from notifier.quiet_hours import QuietHours
from tests.unit.notifier.doubles import a_finished_job, a_running_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RULES = BatchRules()
AT_NIGHT = replace(RULES, quiet=QuietHours(time(11), time(13), ZoneInfo("UTC")))


def at(now_seconds: float, *, now: datetime = NOW, sent_seconds: float | None = None) -> Moment:
    return Moment(now=now, now_seconds=now_seconds, sent_seconds=sent_seconds)


def held(happenings: list[Happening], *, arrivals: list[float] | None = None) -> list[Held]:
    times = arrivals or [0.0] * len(happenings)
    return [
        Held(sequence=number, happening=happening, arrival_seconds=arrival)
        for number, (happening, arrival) in enumerate(zip(happenings, times, strict=True), start=1)
    ]


def word(event: Held) -> str:
    return event.happening.event.rpartition(".")[2]


def names(step: Send | Wait) -> list[str]:
    assert isinstance(step, Send)
    return [word(event) for event in step.events]


def test_nothing_to_tell_waits_for_an_event() -> None:
    assert next_step([], RULES, at(5.0)) == Wait(None)


def test_what_comes_behind_a_silence_is_told_at_once_with_what_comes_with_it() -> None:
    waiting = held(happenings_of(a_finished_job(NOW)), arrivals=[10.0, 10.02, 10.04, 10.06])
    assert next_step(waiting[:1], RULES, at(10.0)) == Wait(10.1 - 10.0)
    assert names(next_step(waiting, RULES, at(10.1))) == ["queued", "started", "evaluated", "completed"]
    assert names(next_step(waiting, RULES, at(10.1, sent_seconds=8.0)))[0] == "queued"


def test_several_events_within_two_seconds_of_a_message_are_one_message() -> None:
    waiting = held(happenings_of(a_finished_job(NOW))[1:], arrivals=[10.5, 11.0, 11.9])
    assert next_step(waiting[:1], RULES, at(10.5, sent_seconds=10.1)) == Wait(12.1 - 10.5)
    assert isinstance(next_step(waiting, RULES, at(12.0, sent_seconds=10.1)), Wait)
    assert names(next_step(waiting, RULES, at(12.1, sent_seconds=10.1))) == ["started", "evaluated", "completed"]


def test_a_full_message_does_not_wait() -> None:
    waiting = held([happening for _ in range(3) for happening in happenings_of(a_finished_job(NOW))])
    step = next_step(waiting, RULES, at(0.0))
    assert isinstance(step, Send)
    assert [event.sequence for event in step.events] == list(range(1, 11))


def test_events_go_out_in_the_order_of_the_stream_whatever_order_they_came_in() -> None:
    waiting = held(happenings_of(a_finished_job(NOW)))
    assert names(next_step(reversed(waiting), RULES, at(2.0)))[0] == "queued"


def test_ends_go_first_when_catching_up_with_what_came_before_them() -> None:
    """P26: behind an hour of outage the ends of jobs are what people wait for."""
    running, ended = happenings_of(a_running_job(NOW)), happenings_of(a_finished_job(NOW))
    step = next_step(held([*running, *ended]), RULES, at(3600.0, now=LATER))
    assert isinstance(step, Send)
    assert [word(group.head) for group in step.groups] == ["completed", "started"]
    assert names(step) == ["queued", "started", "evaluated", "completed", "queued", "started"]


def test_catching_up_tells_ten_jobs_at_a_time() -> None:
    waiting = held([happening for _ in range(12) for happening in happenings_of(a_finished_job(NOW))])
    first = next_step(waiting, RULES, at(3600.0, now=LATER))
    assert isinstance(first, Send)
    assert len(first.groups) == 10
    rest = [event for event in waiting if event not in first.events]
    assert names(next_step(rest, RULES, at(3600.0, now=LATER))).count("completed") == 2


def test_catching_up_looks_at_all_that_comes_before_it_speaks() -> None:
    waiting = held([happening for _ in range(5) for happening in happenings_of(a_finished_job(NOW))])
    assert next_step(waiting, RULES, at(0.5, now=LATER)) == Wait(1.5, is_firm=True)


def test_without_a_window_everything_goes_at_once() -> None:
    waiting = held(happenings_of(a_finished_job(NOW))[:1])
    assert names(next_step(waiting, BatchRules(window_seconds=0.0), at(0.0, sent_seconds=0.0))) == ["queued"]


def test_a_wall_clock_that_jumps_back_changes_no_wait() -> None:
    """P22."""
    waiting = held(happenings_of(a_finished_job(NOW))[:1])
    assert names(next_step(waiting, RULES, at(2.0, now=NOW - timedelta(days=1)))) == ["queued"]


def test_in_quiet_hours_only_ends_are_told_with_what_came_before_them() -> None:
    running, ended = happenings_of(a_running_job(NOW)), happenings_of(a_finished_job(NOW))
    assert next_step(held(running), AT_NIGHT, at(1.0)) == Wait(3600.0)
    step = next_step(held([*running, *ended]), AT_NIGHT, at(1.0))
    assert names(step) == ["queued", "started", "evaluated", "completed"]


def test_what_waited_in_quiet_hours_comes_behind_them_in_one_piece() -> None:
    running = happenings_of(a_running_job(NOW))
    step = next_step(held(running), AT_NIGHT, at(3600.0, now=LATER))
    assert isinstance(step, Send)
    assert [(word(group.head), len(group.earlier)) for group in step.groups] == [("started", 1)]


def test_quiet_hours_cannot_fill_the_way_and_hide_the_ends_behind() -> None:
    rules = replace(AT_NIGHT, max_waiting=4)
    waiting = held(happenings_of(a_running_job(NOW)) + happenings_of(a_running_job(NOW)))
    assert isinstance(next_step(waiting[:3], rules, at(1.0)), Wait)
    assert names(next_step(waiting, rules, at(1.0))) == ["queued", "started"] * 2


JOBS = st.lists(st.booleans(), min_size=1, max_size=8)


@given(jobs=JOBS, is_late=st.booleans())
def test_whatever_waits_all_is_told_once_and_each_job_in_order(jobs: list[bool], is_late: bool) -> None:
    """No decision loses an event, repeats one, or lets an end overtake what belongs to its job."""
    of_jobs = [happenings_of(a_finished_job(NOW) if ends else a_running_job(NOW)) for ends in jobs]
    waiting = held([happening for of_job in of_jobs for happening in of_job])
    told: list[Held] = []
    left = list(waiting)
    while left:
        step = next_step(left, RULES, at(100.0, now=LATER if is_late else NOW))
        assert isinstance(step, Send)
        assert 1 <= len(step.groups) <= RULES.max_sections
        told += step.events
        left = [event for event in left if event not in step.events]
    assert sorted(event.sequence for event in told) == [event.sequence for event in waiting]
    for job_id in {event.happening.job_id for event in waiting}:
        numbers = [event.happening.transition_number for event in told if event.happening.job_id == job_id]
        assert numbers == sorted(numbers)


def test_events_of_no_job_are_never_folded() -> None:
    lost = replace(happenings_of(a_running_job(NOW))[0], project="", job_id="", transition_number=0)
    assert [len(group.events) for group in fold(held([lost, lost]))] == [1, 1]
