"""Feeds against a real nats-server that is killed, loses consumers and loses streams."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from headway.contract.subjects import EVENTS, LOGS, PROGRESS, job_event_subject, log_subject, progress_subject
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.clock import SystemClock
from headway.runtime.feeds import Durable, Feed, Message, StreamReplaced
from headway.runtime.jetstream import Reply
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_feed import FeedPlan, NatsFeed
from headway.runtime.nats_puller import PullOptions
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually

QUEUED = job_event_subject("queued", "p", "j1")
FOLLOW_EVENTS = FeedPlan(
    stream=EVENTS.name, key_prefix="", subject=None, start=1, durable=None, restart_when_replaced=False
)


async def take(feed: Feed, number: int, within_seconds: float = 5.0) -> list[Message]:
    taken: list[Message] = []
    async with asyncio.timeout(within_seconds):
        while len(taken) < number:
            taken.append(await anext(aiter(feed)))
    return taken


def numbers(messages: Sequence[Message]) -> list[int]:
    return [int(message.data) for message in messages]


async def publish(bus: NatsBus, numbers: range) -> None:
    for number in numbers:
        await bus.publish(QUEUED, b"%d" % number, message_id=str(number))


async def test_a_waiting_feed_notices_a_restart_at_once(nats_bus: NatsBus, nats_server: NatsServer) -> None:
    # With nats-py's own fetch, what is stored right after a restart waits for the fetch to time out: 6 to 20 seconds.
    async with nats_bus.feed(EVENTS) as feed:
        waiting = asyncio.create_task(take(feed, 1, within_seconds=20))
        await asyncio.sleep(0.1)
        await nats_server.kill()
        await nats_server.start()
        await publish(nats_bus, range(1))
        before = time.perf_counter()

        assert numbers(await waiting) == [0]
        assert time.perf_counter() - before < 1.0


async def test_a_feed_loses_and_repeats_nothing_under_restarts(nats_bus: NatsBus, nats_server: NatsServer) -> None:
    total = 1500
    async with nats_bus.feed(EVENTS) as feed:
        following = asyncio.create_task(take(feed, total, within_seconds=60))
        writing = asyncio.create_task(publish(nats_bus, range(total)))
        for _ in range(5):
            await asyncio.sleep(0.15)
            await nats_server.kill()
            await nats_server.start()
        await writing

        assert numbers(await following) == list(range(total))


async def test_a_durable_feed_loses_nothing_under_restarts(nats_bus: NatsBus, nats_server: NatsServer) -> None:
    total = 300
    seen: set[int] = set()
    async with nats_bus.feed(EVENTS, durable=Durable(name="publisher", ack_wait_seconds=1.0)) as feed:
        writing = asyncio.create_task(publish(nats_bus, range(total)))

        async def follow() -> None:
            while len(seen) < total:
                (message,) = await take(feed, 1, within_seconds=20)
                seen.add(int(message.data))
                await feed.ack(message)

        following = asyncio.create_task(follow())
        for _ in range(3):
            await asyncio.sleep(0.1)
            await nats_server.kill()
            await nats_server.start()
        await writing
        await following

    assert seen == set(range(total))


async def test_a_feed_survives_the_loss_of_its_consumer(nats_bus: NatsBus) -> None:
    await publish(nats_bus, range(600))
    feed = NatsFeed(nats_bus._requests, FOLLOW_EVENTS, SystemClock(), PullOptions(batch=50, heartbeat_seconds=0.2))
    async with feed:
        first = await take(feed, 120)
        await nats_bus._requests.call(f"CONSUMER.DELETE.{EVENTS.name}.{feed._consumer}", None, Reply)

        assert numbers([*first, *await take(feed, 480)]) == list(range(600))


async def test_a_lost_message_is_noticed_by_the_gap(nats_bus: NatsBus) -> None:
    await publish(nats_bus, range(30))
    feed = NatsFeed(nats_bus._requests, FOLLOW_EVENTS, SystemClock(), PullOptions(batch=10))
    async with feed:
        first = await take(feed, 3)
        assert feed._puller is not None
        lost = feed._puller._queue.get_nowait()

        following = await take(feed, 27)

    assert lost is not None
    assert numbers([*first, *following]) == list(range(30))


async def test_a_silent_consumer_is_opened_again(nats_bus: NatsBus) -> None:
    feed = NatsFeed(nats_bus._requests, FOLLOW_EVENTS, SystemClock(), PullOptions(heartbeat_seconds=0.2))
    async with feed:
        assert feed._puller is not None
        await feed._puller._pull()
        assert feed._puller._subscription is not None
        await feed._puller._subscription.unsubscribe()  # From here on nothing arrives, and nothing says why.
        await publish(nats_bus, range(1))

        assert numbers(await take(feed, 1, within_seconds=3)) == [0]


async def test_pulls_that_expire_empty_go_on(nats_bus: NatsBus) -> None:
    options = PullOptions(batch=5, expires_seconds=0.2, heartbeat_seconds=0.1)
    feed = NatsFeed(nats_bus._requests, FOLLOW_EVENTS, SystemClock(), options)
    async with feed:
        opened = feed._consumer
        waiting = asyncio.create_task(take(feed, 7))
        await asyncio.sleep(0.7)
        await publish(nats_bus, range(7))

        assert numbers(await waiting) == list(range(7))
        assert feed._consumer == opened


async def test_a_replaced_stream_ends_the_feed(nats_bus: NatsBus) -> None:
    await publish(nats_bus, range(5))
    async with nats_bus.feed(EVENTS) as feed:
        await take(feed, 5)
        await nats_bus._requests.call(f"STREAM.DELETE.{EVENTS.name}", None, Reply)
        await nats_bus.provision([], [EVENTS])
        await publish(nats_bus, range(100, 120))

        with pytest.raises(StreamReplaced):
            await take(feed, 1, within_seconds=15)


async def test_a_lossy_feed_starts_over_after_a_restart(nats_bus: NatsBus, nats_server: NatsServer) -> None:
    # Memory streams are gone after a restart; the bus makes them again and their sequences begin at one.
    subject = progress_subject("p", "j1")
    async with nats_bus.feed(PROGRESS, restart_when_replaced=True) as feed:
        await nats_bus.publish(subject, b"1")
        await take(feed, 1)
        await nats_server.kill()
        await nats_server.start()
        await eventually(lambda: nats_bus.is_connected)

        async def is_made_again() -> bool:
            try:
                return (await nats_bus.stream_state(PROGRESS)).num_messages == 0
            except StreamMissing:
                return False

        await eventually(is_made_again)
        await nats_bus.publish(subject, b"2")

        assert numbers(await take(feed, 1)) == [2]


async def test_a_closed_feed_leaves_no_consumer_behind(nats_bus: NatsBus) -> None:
    async with nats_bus.feed(EVENTS) as feed:
        await publish(nats_bus, range(1))
        await take(feed, 1)

    reply = await nats_bus._requests.call(f"STREAM.INFO.{EVENTS.name}", None, _WithConsumers)
    assert reply.state.consumer_count == 0


async def test_a_long_history_is_read_quickly(nats_bus: NatsBus) -> None:
    await asyncio.gather(*(nats_bus.publish(log_subject("p", f"j{number % 50}"), b"x") for number in range(5000)))
    before = time.perf_counter()
    async with nats_bus.feed(LOGS) as feed:
        await take(feed, 5000, within_seconds=20)

    assert time.perf_counter() - before < 3.0  # About 0.1 s on an idle machine.


async def test_two_connections_share_a_durable(nats_server: NatsServer, nats_bus: NatsBus) -> None:
    durable = Durable(name="publisher")
    async with (
        connect(nats_server.url, "other", options=BusOptions()) as other,
        nats_bus.feed(EVENTS, durable=durable) as one,
        other.feed(EVENTS, durable=durable) as two,
    ):
        waiting = [asyncio.create_task(take(feed, 1)) for feed in (one, two)]
        await publish(nats_bus, range(1))
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()

    assert len(done) == 1


class _State(Reply):
    consumer_count: int = 0


class _WithConsumers(Reply):
    state: _State
