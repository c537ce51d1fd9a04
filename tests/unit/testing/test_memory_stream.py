from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import EVENTS, HOSTS, JOBS, PROGRESS, job_event_subject
from headway.runtime.feeds import StreamReplaced
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.testing.memory_stream import matches

QUEUED = job_event_subject("queued", "p", "j1")


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("*.b", "a.b", True),
        ("a.b", "a.c", False),
    ],
)
def test_a_pattern_matches_as_the_server_does_it(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected


async def test_a_record_expires_by_the_clock_and_its_marker_too(clock: ManualClock) -> None:
    bus = MemoryBus(clock)
    await bus.provision([HOSTS], [])
    hosts = bus.records(HOSTS, StringValue)
    await hosts.create("h1", StringValue(value="one"), ttl=timedelta(seconds=10))

    await clock.advance(9.9)
    assert await hosts.find("h1") is not None
    await clock.advance(0.2)
    assert await hosts.find("h1") is None
    assert (await bus.stream_state(HOSTS)).num_messages == 1
    await clock.advance(HOSTS.marker_ttl.total_seconds())
    assert (await bus.stream_state(HOSTS)).num_messages == 0


async def test_a_stream_forgets_what_is_too_old(clock: ManualClock) -> None:
    bus = MemoryBus(clock)
    await bus.provision([], [EVENTS])
    await bus.publish(QUEUED, b"one", message_id="1")

    await clock.advance(EVENTS.max_age.total_seconds() + 1)

    assert await bus.last_message(EVENTS, QUEUED) is None


async def test_a_message_id_is_forgotten_after_its_window(clock: ManualClock) -> None:
    bus = MemoryBus(clock)
    await bus.provision([], [EVENTS])
    await bus.publish(QUEUED, b"one", message_id="1")

    await clock.advance(EVENTS.duplicate_window.total_seconds() + 1)

    assert not (await bus.publish(QUEUED, b"one", message_id="1")).is_duplicate


async def test_a_lost_answer_of_a_record_is_settled(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)

    memory_bus.lose_answers()
    revision = await jobs.create("j1", StringValue(value="one"))
    memory_bus.lose_answers()
    revision = await jobs.update("j1", StringValue(value="two"), revision)

    assert await jobs.get("j1") == await jobs.get("j1")
    assert ((await jobs.get("j1")).revision, (await jobs.get("j1")).value.value) == (revision, "two")
    assert (await memory_bus.stream_state(JOBS)).last_sequence == 2


async def test_a_server_that_is_away_answers_nothing_and_feeds_wait(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    async with memory_bus.feed(JOBS) as feed:
        await jobs.create("j1", StringValue(value="one"))
        memory_bus.go_away()
        with pytest.raises(StoreUnavailable):
            await jobs.get("j1")
        memory_bus.come_back()

        assert (await anext(aiter(feed))).key == "j1"


async def test_a_replaced_stream_is_noticed(memory_bus: MemoryBus) -> None:
    async with (
        memory_bus.feed(JOBS) as strict,
        memory_bus.feed(PROGRESS, restart_when_replaced=True) as lossy,
    ):
        memory_bus.replace(JOBS)
        memory_bus.replace(PROGRESS)
        await memory_bus.publish("trainer.train.progress.v1.p.j", b"one")

        assert (await anext(aiter(lossy))).data == b"one"
        with pytest.raises(StreamReplaced):
            await anext(aiter(strict))
