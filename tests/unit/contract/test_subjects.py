import itertools

import pytest

from headway.contract.subjects import (
    BUCKETS,
    EVENTS,
    JOB_EVENTS,
    LOGS,
    MAX_RECORD_BYTES,
    PROGRESS,
    STREAMS,
    BucketSpec,
    Storage,
    StreamSpec,
    all_job_events_subject,
    host_event_subject,
    job_event_subject,
    log_subject,
    model_event_subject,
    progress_subject,
    subject_token,
)
from headway.testing.memory_stream import matches

_GIB = 1024**3


def test_every_event_has_its_subject() -> None:
    assert job_event_subject("completed", "p1", "j1") == "trainer.train.completed.v1.p1.j1"
    assert model_event_subject("promoted", "p1", "m.v1") == "trainer.model.promoted.v1.p1.m=v1"
    assert host_event_subject("lost", "h1") == "trainer.host.lost.v1.h1"
    assert progress_subject("p1", "j1") == "trainer.train.progress.v1.p1.j1"
    assert log_subject("p1", "j1") == "trainer.log.v1.p1.j1"


@pytest.mark.parametrize("build", [job_event_subject, model_event_subject])
def test_an_unknown_event_is_refused(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match="none of the events"):
        build("exploded", "p", "j")
    with pytest.raises(ValueError, match="none of the events"):
        host_event_subject("exploded", "h")


@pytest.mark.parametrize("text", ["", "a b", "*", ">", "a>", "ä", "a" * 129, "a/b", "a\nb"])
def test_what_would_break_a_subject_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be a token"):
        subject_token(text)


def test_each_subject_belongs_to_one_stream() -> None:
    subjects = [
        *(job_event_subject(event, "p", "j") for event in JOB_EVENTS),
        model_event_subject("registered", "p", "m"),
        host_event_subject("joined", "h"),
    ]
    for subject in subjects:
        assert [spec for spec in STREAMS if any(matches(one, subject) for one in spec.subjects)] == [EVENTS]
    for subject, owner in ((progress_subject("p", "j"), PROGRESS), (log_subject("p", "j"), LOGS)):
        assert [spec for spec in STREAMS if any(matches(one, subject) for one in spec.subjects)] == [owner]


def test_the_pattern_of_a_job_matches_its_events_and_no_others() -> None:
    pattern = all_job_events_subject("p", "j")

    assert all(matches(pattern, job_event_subject(event, "p", "j")) for event in JOB_EVENTS)
    assert not matches(pattern, job_event_subject("queued", "p", "k"))


def test_names_are_unique_and_every_stream_is_bounded() -> None:
    specs: list[BucketSpec | StreamSpec] = [*BUCKETS, *STREAMS]

    assert len({spec.stream_name for spec in specs}) == len(specs)
    assert all(spec.max_bytes > 0 and spec.description for spec in specs)
    assert all(bucket.max_value_bytes <= MAX_RECORD_BYTES for bucket in BUCKETS)
    assert all(stream.max_message_bytes < 1024 * 1024 for stream in STREAMS)


def test_what_must_not_be_lost_is_on_disk() -> None:
    assert all(spec.storage is Storage.FILE for spec in (*BUCKETS, EVENTS))


def test_the_reserved_space_fits_a_server() -> None:
    on_disk = sum(spec.max_bytes for spec in (*BUCKETS, *STREAMS) if spec.storage is Storage.FILE)
    in_memory = sum(spec.max_bytes for spec in (*BUCKETS, *STREAMS) if spec.storage is Storage.MEMORY)

    assert on_disk <= 16 * _GIB
    assert in_memory <= 512 * 1024**2


def test_a_bucket_and_its_stream_agree() -> None:
    for bucket, stream in itertools.product(BUCKETS, STREAMS):
        assert bucket.subjects[0].startswith(bucket.prefix)
        assert bucket.stream_name != stream.stream_name
