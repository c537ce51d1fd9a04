"""The table of events."""

import pytest

from headway.contract.event_catalogue import BY_TYPE, CATALOGUE, LAST_EVENT_TYPES, LIFE_DATA, MODEL_DATA, EventEntry
from headway.contract.events import MODEL_CHANGES
from headway.contract.states import Event, outward_event
from headway.contract.subjects import (
    EVENTS,
    JOB_EVENTS,
    LOGS,
    MODEL_EVENTS,
    PROGRESS,
    STREAMS,
    host_event_subject,
    job_event_subject,
    log_subject,
    model_event_subject,
    progress_subject,
)
from headway.testing.memory_stream import matches


def test_every_type_is_there_once() -> None:
    assert len(BY_TYPE) == len(CATALOGUE)
    assert {entry.stream for entry in CATALOGUE} == set(STREAMS)


def test_each_event_has_its_data() -> None:
    assert tuple(LIFE_DATA) == JOB_EVENTS
    assert tuple(MODEL_DATA) == MODEL_EVENTS
    assert MODEL_CHANGES.items() <= MODEL_DATA.items()
    assert set(JOB_EVENTS) == {outward for event in Event if (outward := outward_event(event)) is not None}


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.event_type)
def test_an_entry_is_kept_by_its_stream_and_by_no_other(entry: EventEntry) -> None:
    subject = entry.subject.replace("{", "").replace("}", "")
    assert matches(entry.pattern, subject)
    assert [spec for spec in STREAMS if any(matches(one, subject) for one in spec.subjects)] == [entry.stream]


def test_the_pattern_of_an_entry_is_where_its_events_are_published() -> None:
    subjects = [
        job_event_subject("queued", "p", "j"),
        model_event_subject("registered", "p", "m"),
        host_event_subject("lost", "h"),
        progress_subject("p", "j"),
        log_subject("p", "j"),
    ]
    found = [[entry.event_type for entry in CATALOGUE if matches(entry.pattern, subject)] for subject in subjects]
    assert found == [
        ["trainer.train.queued.v1"],
        ["trainer.model.registered.v1"],
        ["trainer.host.lost.v1"],
        ["trainer.train.progress.v1"],
        ["trainer.log.v1"],
    ]


def test_only_progress_and_logs_may_be_lost() -> None:
    assert {entry.stream.name for entry in CATALOGUE if not entry.is_durable} == {PROGRESS.name, LOGS.name}
    assert {entry.stream.name for entry in CATALOGUE if entry.is_durable} == {EVENTS.name}


def test_a_job_ends_in_one_of_three_ways() -> None:
    assert {
        "trainer.train.completed.v1",
        "trainer.train.failed.v1",
        "trainer.train.cancelled.v1",
    } == LAST_EVENT_TYPES
    assert BY_TYPE.keys() >= LAST_EVENT_TYPES
