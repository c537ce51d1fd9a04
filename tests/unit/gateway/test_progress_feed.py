"""Progress from NATS: what hosts reported to any gateway; a bad message harms nobody."""

import asyncio
import json
import math
from datetime import timedelta

import pytest
from google.protobuf.json_format import ParseError

from gateway.progress_feed import ProgressFeed, progress_of_event, read_progress_event
from gateway.watch_hub import WatchHub
from headway.contract.events import progress_event
from headway.contract.subjects import progress_subject
from headway.contract.times import duration, timestamp
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.events_pb2 import JobProgressEvent
from headway.v1.jobs_pb2 import ATTEMPT_PHASE_TRAINING, ATTEMPT_PHASE_UNSPECIFIED, Progress
from tests.proto_fields import with_fields
from tests.unit.gateway.builders import NOW, PROJECT, a_record

RECORD = a_record()
JOB = RECORD.job.name.rpartition("/")[2]


def some_progress(**changes: object) -> Progress:
    known = Progress(
        attempt=2,
        phase=ATTEMPT_PHASE_TRAINING,
        message="epoch 3 of 10",
        epoch=3,
        total_epochs=10,
        step=30,
        total_steps=100,
        loss=0.25,
        best_loss=math.nan,
        learning_rate=0.001,
        samples_per_second=12.5,
        eta=duration(timedelta(seconds=7)),
        memory_bytes=1024,
    )
    return with_fields(known, changes)


def test_what_telemetry_publishes_is_read_back() -> None:
    told = some_progress(measure_time=timestamp(NOW))
    event = read_progress_event(progress_event(RECORD.job, "hosts/h", told).body)
    assert event.run_id == JOB
    found = progress_of_event(event)
    assert str(found) == str(some_progress())


def test_unknown_figures_stay_unknown() -> None:
    told = some_progress(loss=math.nan, measure_time=timestamp(NOW))
    told.ClearField("eta")
    found = progress_of_event(read_progress_event(progress_event(RECORD.job, "hosts/h", told).body))
    assert math.isnan(found.loss)
    assert not found.HasField("eta")


def test_a_phase_of_a_later_release_is_unspecified() -> None:
    assert progress_of_event(JobProgressEvent(phase="dreaming")).phase == ATTEMPT_PHASE_UNSPECIFIED


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"data":5}', b'{"data":{"step":"many"}}', b"[" * 60_000]
)
def test_what_is_no_progress_event_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, ParseError)):
        read_progress_event(body)


async def test_bad_messages_do_not_end_the_feed(memory_bus: MemoryBus) -> None:
    hub = WatchHub()
    running = asyncio.ensure_future(ProgressFeed(memory_bus, hub).run())
    bad = [b"", b"[]", b"\xff", json.dumps({"data": {"step": "many"}}).encode(), b"[" * 60_000]
    for number, body in enumerate(bad):
        await memory_bus.publish(progress_subject(PROJECT, f"bad{number}"), body)
    await memory_bus.publish(
        progress_subject(PROJECT, JOB), progress_event(RECORD.job, "hosts/h", some_progress()).body
    )
    await eventually(lambda: hub.progress_of(JOB) is not None)
    assert not running.done()
    running.cancel()
