"""Reading events: whatever arrives becomes a happening or a named poison, never an exception of another kind."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.contract.events import host_event, model_registered_event
from headway.contract.subjects import MAX_EVENT_BYTES
from headway.contract.times import timestamp
from headway.testing.life_events import events_of
from headway.v1 import events_pb2 as events
from headway.v1.hosts_pb2 import Host
from headway.v1.models_pb2 import ModelVersion
from notifier.decode import Poison, decode
from tests.unit.notifier.doubles import a_finished_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JOB_ID = "j" + "a" * 25
RECORD = a_finished_job(NOW, job_id=JOB_ID)
COMPLETED = events_of(RECORD)[-1]


def changed(**fields: object) -> bytes:
    """The completed event with other fields of its envelope; None removes one."""
    body = json.loads(COMPLETED.body) | fields
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def with_data(**fields: object) -> bytes:
    """The completed event with other data; None removes a field."""
    data = json.loads(COMPLETED.body)["data"] | fields
    return changed(data={name: value for name, value in data.items() if value is not None})


def test_every_event_of_a_job_is_read() -> None:
    happenings = happenings_of(RECORD)
    assert [happening.event for happening in happenings] == [
        "trainer.train.queued",
        "trainer.train.started",
        "trainer.train.evaluated",
        "trainer.train.completed",
    ]
    assert [happening.transition_number for happening in happenings] == [1, 2, 3, 4]
    assert {(happening.project, happening.job_id) for happening in happenings} == {("demo", JOB_ID)}
    assert [happening.is_terminal for happening in happenings] == [False, False, False, True]
    assert happenings[-1].occur_time == NOW
    assert isinstance(happenings[-1].data, events.JobCompletedEvent)


def test_events_of_models_and_hosts_are_read() -> None:
    version = ModelVersion(name=f"projects/p/models/m.v2/versions/{JOB_ID}", number=2, create_time=timestamp(NOW))
    registered = model_registered_event(version)
    assert decode(registered.subject, registered.body).event == "trainer.model.registered"
    lost = host_event("lost", Host(name="hosts/a", boot_id="b"), "silent for 15 s", now=NOW)
    assert decode(lost.subject, lost.body).event == "trainer.host.lost"


def test_a_field_of_a_newer_sender_is_no_fault() -> None:
    assert decode(COMPLETED.subject, with_data(mood="good")).job_id == JOB_ID


POISONS = {
    "garbage": (b"\xff\x00 not json", "NO_CLOUD_EVENT"),
    "empty": (b"", "NO_CLOUD_EVENT"),
    "an array": (b"[]", "NO_CLOUD_EVENT"),
    "deep": (b"[" * 50_000, "NO_CLOUD_EVENT"),
    "no envelope": (b"{}", "NO_CLOUD_EVENT"),
    "another specification": (changed(specversion="2.0"), "NO_CLOUD_EVENT"),
    "no id": (changed(id=None), "NO_CLOUD_EVENT"),
    "an empty id": (changed(id=""), "NO_CLOUD_EVENT"),
    "no time": (changed(time=None), "NO_CLOUD_EVENT"),
    "a time without zone": (changed(time="2026-11-01T12:00:00"), "NO_CLOUD_EVENT"),
    "no data": (changed(data=None), "NO_CLOUD_EVENT"),
    "data that is text": (changed(data="yes"), "NO_CLOUD_EVENT"),
    "too large": (changed(more="x" * MAX_EVENT_BYTES), "TOO_LARGE"),
    "a megabyte": (b"x" * 1024 * 1024, "TOO_LARGE"),
    "an unknown version": (changed(type="trainer.train.completed.v2"), "UNKNOWN_VERSION"),
    "no version": (changed(type="trainer.train.completed"), "UNKNOWN_VERSION"),
    "an unknown event": (changed(type="trainer.train.exploded.v1"), "UNKNOWN_EVENT"),
    "progress": (changed(type="trainer.train.progress.v1"), "UNKNOWN_EVENT"),
    "no job id": (with_data(run_id=None), "NO_ID"),
    "a job id that is a path": (with_data(run_id="../x"), "NO_ID"),
    "no project": (with_data(project=""), "NO_ID"),
    "no sequence": (with_data(sequence=None), "NO_SEQUENCE"),
    "a negative sequence": (with_data(sequence=-1), "NO_SEQUENCE"),
    "a sequence beyond 32 bits": (with_data(sequence=2**40), "WRONG_DATA"),
    "a sequence in words": (with_data(sequence="two"), "WRONG_DATA"),
    "a number that is a list": (with_data(loss=[1]), "WRONG_DATA"),
    "another job's subject": (with_data(run_id="j" + "b" * 25), "WRONG_SUBJECT"),
    "another event's subject": (changed(type="trainer.train.failed.v1"), "WRONG_SUBJECT"),
}


@pytest.mark.parametrize("name", POISONS)
def test_what_nobody_can_use_is_poison(name: str) -> None:
    """F-1 of the abuse corpus."""
    body, reason = POISONS[name]
    with pytest.raises(Poison) as caught:
        decode(COMPLETED.subject, body)
    assert caught.value.reason == reason


@pytest.mark.parametrize("data", [{"host": ""}, {"host": "UPPER"}, {}])
def test_an_event_of_a_host_names_the_host(data: dict[str, str]) -> None:
    body = changed(type="trainer.host.joined.v1", data=data)
    with pytest.raises(Poison, match="NO_ID"):
        decode("trainer.host.joined.v1.a", body)


@given(st.binary(max_size=2000))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(Poison):
        decode(COMPLETED.subject, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(field=st.sampled_from(sorted(json.loads(COMPLETED.body)["data"])), value=JSON)
def test_no_value_of_any_field_raises_anything_else(field: str, value: object) -> None:
    try:
        happening = decode(COMPLETED.subject, with_data(**{field: value}))
    except Poison:
        return
    assert happening.job_id == JOB_ID
