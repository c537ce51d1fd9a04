"""What every implementation of feeds promises: order, completeness, a place to go on from."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.subjects import (
    EVENTS,
    HOSTS,
    JOBS,
    LOGS,
    all_job_events_subject,
    host_event_subject,
    job_event_subject,
    log_subject,
)
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.feeds import (
    FROM_NEW,
    LAST_PER_SUBJECT,
    Durable,
    Feed,
    Message,
    PoisonMessage,
    handle_each,
)
from headway.testing.eventually import eventually

QUEUED = job_event_subject("queued", "p", "j1")
STARTED = job_event_subject("started", "p", "j1")
OTHER = job_event_subject("queued", "p", "j2")
BEGUN = Durable(name="publisher", ack_wait_seconds=0.5, start_sequence=2)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LATER = [replace(BEGUN, start_sequence=1), replace(BEGUN, from_new=True), replace(BEGUN, start_time=LONG_AGO)]


async def take(feed: Feed, number: int, within_seconds: float = 5.0) -> list[Message]:
    """The next messages of a feed."""
    taken: list[Message] = []
    async with asyncio.timeout(within_seconds):
        while len(taken) < number:
            taken.append(await anext(aiter(feed)))
    return taken


def is_caught_up(feed: Feed) -> bool:
    """As a call, which a type checker knows to answer differently later."""
    return feed.is_caught_up


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.data for message in messages]


async def test_a_feed_yields_what_was_stored_and_what_comes(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    await bus.publish(STARTED, b"two")
    async with bus.feed(EVENTS) as feed:
        assert not is_caught_up(feed)

        first = await take(feed, 2)
        assert is_caught_up(feed)
        await bus.publish(OTHER, b"three")

        assert bodies([*first, *await take(feed, 1)]) == [b"one", b"two", b"three"]
        assert [message.pending for message in first] == [1, 0]
        assert [message.sequence for message in first] == [1, 2]


async def test_a_feed_of_an_empty_stream_is_caught_up_at_once(bus: Bus) -> None:
    async with bus.feed(EVENTS) as feed:
        assert feed.is_caught_up


async def test_a_feed_starts_at_a_sequence(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(QUEUED, b"%d" % number)

    async with bus.feed(EVENTS, start=4) as feed:
        assert bodies(await take(feed, 2)) == [b"3", b"4"]


async def test_a_feed_resumes_behind_what_it_saw(bus: Bus) -> None:
    for number in range(600):
        await bus.publish(log_subject("p", "j"), b"%d" % number)
    seen: list[Message] = []

    while len(seen) < 600:
        start = seen[-1].sequence + 1 if seen else 1
        async with bus.feed(LOGS, start=start) as feed:
            seen += await take(feed, 150)

    assert bodies(seen) == [b"%d" % number for number in range(600)]


async def test_a_feed_from_new_skips_what_was_stored(bus: Bus) -> None:
    await bus.publish(QUEUED, b"old")
    async with bus.feed(EVENTS, start=FROM_NEW) as feed:
        await bus.publish(QUEUED, b"new")

        assert bodies(await take(feed, 1)) == [b"new"]


async def test_a_feed_from_a_time_skips_what_was_stored_before(bus: Bus) -> None:
    await bus.publish(QUEUED, b"old")
    await asyncio.sleep(0.05)
    await bus.publish(STARTED, b"one")
    await bus.publish(OTHER, b"two")
    async with bus.feed(EVENTS) as feed:
        _, one, _ = await take(feed, 3)
    async with bus.feed(EVENTS, start=one.time - timedelta(milliseconds=20)) as feed:
        first = await take(feed, 2)
        await bus.publish(QUEUED, b"three")

        assert bodies([*first, *await take(feed, 1)]) == [b"one", b"two", b"three"]


async def test_a_feed_from_a_time_with_nothing_behind_it_yields_what_comes(bus: Bus) -> None:
    old = await bus.publish(QUEUED, b"old")
    await asyncio.sleep(0.05)
    async with bus.feed(EVENTS, start=datetime.now(UTC)) as feed:
        assert is_caught_up(feed)
        new = await bus.publish(STARTED, b"new")
        assert [message.sequence for message in await take(feed, 1)] == [old.sequence + 1] == [new.sequence]


async def test_a_feed_of_the_last_of_each_subject_skips_the_others(bus: Bus) -> None:
    for number in range(3):
        await bus.publish(QUEUED, b"one %d" % number)
    await bus.publish(OTHER, b"two")
    async with bus.feed(EVENTS, start=LAST_PER_SUBJECT) as feed:
        first = await take(feed, 2)
        await bus.publish(QUEUED, b"three")

        assert bodies([*first, *await take(feed, 1)]) == [b"one 2", b"two", b"three"]


async def test_a_feed_of_a_subject_sees_nothing_else(bus: Bus) -> None:
    await bus.publish(OTHER, b"other")
    async with bus.feed(EVENTS, subject=all_job_events_subject("p", "j1")) as feed:
        assert feed.is_caught_up
        await bus.publish(QUEUED, b"one")
        await bus.publish(OTHER, b"other")
        await bus.publish(STARTED, b"two")

        assert bodies(await take(feed, 2)) == [b"one", b"two"]


async def test_a_feed_of_a_bucket_yields_the_newest_of_each_key_and_deletions(bus: Bus) -> None:
    jobs = bus.records(JOBS, StringValue)
    revision = await jobs.create("j1", StringValue(value="one"))
    revision = await jobs.update("j1", StringValue(value="two"), revision)
    async with bus.feed(JOBS) as feed:
        (first,) = await take(feed, 1)
        await jobs.delete("j1", revision)
        (deleted,) = await take(feed, 1)

    assert (first.key, first.sequence, first.is_deleted) == ("j1", revision, False)
    assert StringValue.FromString(first.data).value == "two"
    assert (deleted.key, deleted.is_deleted, deleted.data) == ("j1", True, b"")


async def test_a_feed_sees_a_record_expire(bus: Bus) -> None:
    hosts = bus.records(HOSTS, StringValue)
    async with bus.feed(HOSTS) as feed:
        await hosts.create("h1", StringValue(value="one"), ttl=timedelta(seconds=1))
        created, expired = await take(feed, 2)

    assert (created.key, created.is_deleted) == ("h1", False)
    assert (expired.key, expired.is_deleted) == ("h1", True)


async def test_feeds_do_not_disturb_each_other(bus: Bus) -> None:
    async with bus.feed(EVENTS) as one, bus.feed(EVENTS) as two:
        await bus.publish(QUEUED, b"one")

        assert bodies(await take(one, 1)) == bodies(await take(two, 1)) == [b"one"]


async def test_a_feed_of_a_missing_stream_says_so(bus: Bus) -> None:
    missing = type(EVENTS)(
        name="MISSING",
        subjects=("missing.>",),
        description="",
        storage=EVENTS.storage,
        max_age=EVENTS.max_age,
        max_bytes=1024,
    )
    with pytest.raises(StreamMissing):
        async with bus.feed(missing):
            pass


async def test_a_durable_feed_goes_on_where_it_acknowledged(bus: Bus) -> None:
    durable = Durable(name="publisher", ack_wait_seconds=0.5)
    for body in (b"one", b"two", b"three"):
        await bus.publish(QUEUED, body)
    async with bus.feed(EVENTS, durable=durable) as feed:
        first, second = await take(feed, 2)
        await feed.ack(first)

    async with bus.feed(EVENTS, durable=durable) as feed:
        again = await take(feed, 2)

    assert sorted(bodies(again)) == [b"three", b"two"]
    assert second.num_delivered == 1
    assert {message.num_delivered for message in again if message.data == b"two"} == {2}


async def test_what_is_not_acknowledged_comes_again(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    async with bus.feed(EVENTS, durable=Durable(name="publisher", ack_wait_seconds=0.3)) as feed:
        first, again = await take(feed, 2)

    assert (first.sequence, first.num_delivered, again.num_delivered) == (again.sequence, 1, 2)


async def test_a_nak_brings_a_message_back_after_its_delay(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    await bus.publish(QUEUED, b"two")
    async with bus.feed(EVENTS, durable=Durable(name="publisher")) as feed:
        first, second = await take(feed, 2)
        await feed.ack(second)
        await feed.nak(first, 0.2)
        with pytest.raises(TimeoutError):
            await take(feed, 1, within_seconds=0.1)
        (again,) = await take(feed, 1)

    assert (again.data, again.num_delivered) == (b"one", 2)


async def test_in_progress_puts_off_the_redelivery(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    async with bus.feed(EVENTS, durable=Durable(name="publisher", ack_wait_seconds=0.5)) as feed:
        (first,) = await take(feed, 1)
        for _ in range(4):
            await asyncio.sleep(0.25)
            await feed.in_progress(first)
        with pytest.raises(TimeoutError):
            await take(feed, 1, within_seconds=0.2)


async def test_a_terminated_message_does_not_come_again(bus: Bus) -> None:
    await bus.publish(QUEUED, b"poison")
    async with bus.feed(EVENTS, durable=Durable(name="publisher", ack_wait_seconds=0.2)) as feed:
        (poison,) = await take(feed, 1)
        await feed.term(poison, "cannot be read")
        await bus.publish(QUEUED, b"good")
        (good,) = await take(feed, 1)
        await feed.ack(good)
        with pytest.raises(TimeoutError):
            await take(feed, 1, within_seconds=0.5)

    assert good.data == b"good"


async def test_no_more_is_out_than_may_be_pending(bus: Bus) -> None:
    for number in range(4):
        await bus.publish(QUEUED, b"%d" % number)
    async with bus.feed(EVENTS, durable=Durable(name="publisher", max_ack_pending=2)) as feed:
        first = await take(feed, 2)
        with pytest.raises(TimeoutError):
            await take(feed, 1, within_seconds=0.2)
        await feed.ack(first[0])

        assert bodies(await take(feed, 1)) == [b"2"]


async def test_a_durable_feed_may_begin_with_what_is_new(bus: Bus) -> None:
    await bus.publish(QUEUED, b"old")
    async with bus.feed(EVENTS, durable=Durable(name="publisher", from_new=True)) as feed:
        await bus.publish(QUEUED, b"new")

        assert bodies(await take(feed, 1)) == [b"new"]


async def test_a_durable_feed_may_begin_at_a_time(bus: Bus) -> None:
    await bus.publish(QUEUED, b"old")
    await asyncio.sleep(0.05)
    await bus.publish(STARTED, b"one")
    async with bus.feed(EVENTS) as feed:
        _, one = await take(feed, 2)
    durable = Durable(name="publisher", start_time=one.time - timedelta(milliseconds=20))
    async with bus.feed(EVENTS, durable=durable) as feed:
        assert bodies(await take(feed, 1)) == [b"one"]


@pytest.mark.parametrize("later", LATER)
async def test_a_durable_feed_goes_on_where_it_is_however_it_is_asked_to_begin(bus: Bus, later: Durable) -> None:
    for body in (b"one", b"two", b"three"):
        await bus.publish(QUEUED, body)
    async with bus.feed(EVENTS, durable=BEGUN) as feed:
        await feed.ack((await take(feed, 1))[0])
    async with bus.feed(EVENTS, durable=later, subject=QUEUED) as feed:
        assert bodies(await take(feed, 1)) == [b"three"]


async def test_a_superseded_record_does_not_come_again(bus: Bus) -> None:
    jobs = bus.records(JOBS, StringValue)
    revision = await jobs.create("j1", StringValue(value="one"))
    async with bus.feed(JOBS, durable=Durable(name="scheduler", ack_wait_seconds=0.3)) as feed:
        await take(feed, 1)
        await jobs.update("j1", StringValue(value="two"), revision)
        (second,) = await take(feed, 1)
        await feed.ack(second)
        with pytest.raises(TimeoutError):
            await take(feed, 1, within_seconds=0.6)

    assert StringValue.FromString(second.data).value == "two"


async def test_a_deleted_consumer_begins_again(bus: Bus) -> None:
    await bus.publish(QUEUED, b"one")
    durable = Durable(name="publisher")
    async with bus.feed(EVENTS, durable=durable) as feed:
        (message,) = await take(feed, 1)
        await feed.ack(message)

        async def is_acknowledged() -> bool:
            return feed.is_caught_up

        await eventually(is_acknowledged)
    await bus.delete_consumer(EVENTS, "publisher")
    await bus.delete_consumer(EVENTS, "publisher")

    async with bus.feed(EVENTS, durable=durable) as feed:
        assert bodies(await take(feed, 1)) == [b"one"]


async def test_one_bad_message_does_not_stop_the_rest(bus: Bus) -> None:
    for body in (b"poison", b"flaky", b"good"):
        await bus.publish(host_event_subject("joined", "h1"), body)
    seen: list[bytes] = []
    handled: list[bytes] = []

    async def handle(message: Message) -> None:
        seen.append(message.data)
        if message.data == b"poison":
            raise PoisonMessage("cannot be read")
        if message.data == b"flaky" and message.num_delivered == 1:
            raise RuntimeError("the first time it fails")
        handled.append(message.data)

    async with bus.feed(EVENTS, durable=Durable(name="handler", ack_wait_seconds=30)) as feed:
        loop = asyncio.create_task(handle_each(feed, handle))
        await eventually(lambda: len(handled) == 2)
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop

    assert handled == [b"good", b"flaky"]
    assert sorted(seen) == [b"flaky", b"flaky", b"good", b"poison"]


async def test_a_gathering_feed_yields_the_same_messages_in_the_same_order(bus: Bus) -> None:
    for number in range(5):
        await bus.publish(QUEUED, b"%d" % number)
    async with bus.feed(EVENTS, gather_seconds=0.05) as feed:
        taken = await take(feed, 5)
        for number in range(5, 700):
            await bus.publish(QUEUED, b"%d" % number)
        taken += await take(feed, 695, within_seconds=10.0)
    assert bodies(taken) == [b"%d" % number for number in range(700)]


async def test_a_gathering_feed_does_not_keep_the_first_message_after_a_silence(bus: Bus) -> None:
    arrived = asyncio.Event()

    async def follow() -> None:
        async with bus.feed(EVENTS, gather_seconds=0.3) as feed:
            async for _ in feed:
                arrived.set()

    following = asyncio.ensure_future(follow())
    for number in range(3):
        await asyncio.sleep(0.7)
        arrived.clear()
        await bus.publish(QUEUED, b"%d" % number)
        async with asyncio.timeout(0.2):
            await arrived.wait()
    following.cancel()


async def test_a_gathering_durable_feed_goes_on_behind_what_was_acknowledged(bus: Bus) -> None:
    durable = Durable(name="gathering", ack_wait_seconds=1.0)
    for number in range(20):
        await bus.publish(QUEUED, b"%d" % number)
    async with bus.feed(EVENTS, durable=durable, gather_seconds=0.02) as feed:
        for message in await take(feed, 10):
            await feed.ack(message)
        await asyncio.sleep(0.05)
    async with bus.feed(EVENTS, durable=durable, gather_seconds=0.02) as feed:
        rest = await take(feed, 10, within_seconds=40.0)
    assert sorted(bodies(rest)) == sorted(b"%d" % number for number in range(10, 20))
