"""What every implementation of the bus promises: provisioning and publishing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import DiskFull
from headway.contract.subjects import (
    BUCKETS,
    EVENTS,
    PROGRESS,
    STREAMS,
    BucketSpec,
    all_job_events_subject,
    job_event_subject,
    progress_subject,
)
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import MessageTooLarge, SequenceConflict, StreamMissing
from headway.testing.eventually import eventually

QUEUED = job_event_subject("queued", "p", "j1")
STARTED = job_event_subject("started", "p", "j1")
OTHER = job_event_subject("queued", "p", "j2")


async def test_provisioning_again_creates_nothing(bus: Bus) -> None:
    assert await bus.provision(BUCKETS, STREAMS) == ()


async def test_a_published_message_is_the_last_of_its_subject(bus: Bus) -> None:
    published = await bus.publish(QUEUED, b"one", headers={"ce-id": "j1:1"})

    last = await bus.last_message(EVENTS, QUEUED)

    assert last is not None
    assert (last.data, last.sequence, last.subject, last.is_deleted) == (b"one", published.sequence, QUEUED, False)
    assert last.headers["ce-id"] == "j1:1"


async def test_the_last_message_is_found_by_a_pattern(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    await bus.publish(STARTED, b"two")
    await bus.publish(OTHER, b"three")

    last = await bus.last_message(EVENTS, all_job_events_subject("p", "j1"))

    assert last is not None
    assert last.data == b"two"
    assert await bus.last_message(EVENTS, all_job_events_subject("p", "j9")) is None


async def test_a_message_id_is_stored_once(bus: Bus) -> None:
    first = await bus.publish(QUEUED, b"one", message_id="j1:1")
    second = await bus.publish(QUEUED, b"one", message_id="j1:1")

    assert (first.is_duplicate, second.is_duplicate) == (False, True)
    assert first.sequence == second.sequence
    assert (await bus.stream_state(EVENTS)).num_messages == 1


async def test_the_headers_given_are_not_changed(bus: Bus) -> None:
    # nats-py adds to the dictionary it is given, and the addition sticks to the next message.
    headers = {"a": "b"}

    await bus.publish(QUEUED, b"one", message_id="1", ttl=timedelta(seconds=60), headers=headers)

    assert headers == {"a": "b"}


async def test_an_expected_sequence_fences_a_publish(bus: Bus) -> None:
    first = await bus.publish(QUEUED, b"one", expect_last=0)

    with pytest.raises(SequenceConflict):
        await bus.publish(QUEUED, b"again", expect_last=0)
    await bus.publish(QUEUED, b"two", expect_last=first.sequence)


async def test_an_expected_sequence_may_be_that_of_a_pattern_of_subjects(bus: Bus) -> None:
    """One job's events have a subject each, and one order among them."""
    started = QUEUED.replace("queued", "started")
    pattern = QUEUED.replace("queued", "*")
    first = await bus.publish(QUEUED, b"one", expect_last=0, expect_subject=pattern)

    with pytest.raises(SequenceConflict):
        await bus.publish(started, b"two", expect_last=0, expect_subject=pattern)
    second = await bus.publish(started, b"two", expect_last=first.sequence, expect_subject=pattern)
    with pytest.raises(SequenceConflict):
        await bus.publish(QUEUED, b"three", expect_last=first.sequence, expect_subject=pattern)
    await bus.publish(QUEUED, b"three", expect_last=second.sequence, expect_subject=pattern)


async def test_a_message_with_a_time_to_live_vanishes(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one", ttl=timedelta(seconds=0.3))

    async def is_gone() -> bool:
        return await bus.last_message(EVENTS, QUEUED) is None

    await eventually(is_gone)


async def test_a_subject_of_no_stream_is_refused(bus: Bus) -> None:
    with pytest.raises(StreamMissing):
        await bus.publish("trainer.nothing.v1", b"one")


async def test_a_message_over_the_limit_is_refused_and_the_bus_lives_on(bus: Bus) -> None:
    for size in (EVENTS.max_message_bytes + 1, 3 * 1024 * 1024):
        with pytest.raises(MessageTooLarge):
            await bus.publish(QUEUED, b"x" * size)

    await bus.publish(QUEUED, b"one")


async def test_a_full_bucket_refuses_and_a_full_stream_drops_the_oldest(bus: Bus) -> None:
    bucket = BucketSpec(name="small", description="Small.", max_bytes=1000, max_value_bytes=900)
    stream = replace(PROGRESS, name="SMALL", subjects=("small.>",), max_bytes=1000, max_message_bytes=900)
    await bus.provision([bucket], [stream])
    records = bus.records(bucket, StringValue)
    await records.create("a", StringValue(value="x" * 600))

    with pytest.raises(DiskFull):
        await records.create("b", StringValue(value="x" * 600))
    for number in range(3):
        await bus.publish("small.one", b"%d" % number * 600)
    await bus.publish("small.two", b"x" * 600)

    assert await records.find("b") is None
    assert (await bus.stream_state(stream)).num_messages == 1
    assert await bus.last_message(stream, "small.one") is None


async def test_progress_keeps_the_newest_of_each_job(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(progress_subject("p", "j1"), b"%d" % number)
    await bus.publish(progress_subject("p", "j2"), b"other")

    assert (await bus.stream_state(PROGRESS)).num_messages == 2
    last = await bus.last_message(PROGRESS, progress_subject("p", "j1"))
    assert last is not None
    assert last.data == b"4"


async def test_the_state_of_a_stream_counts(bus: Bus) -> None:
    empty = await bus.stream_state(EVENTS)
    await bus.publish(QUEUED, b"one")
    await bus.publish(QUEUED, b"two")

    state = await bus.stream_state(EVENTS)

    assert (empty.last_sequence, empty.num_messages) == (0, 0)
    assert (state.first_sequence, state.last_sequence, state.num_messages) == (1, 2, 2)
    assert state.created == empty.created
