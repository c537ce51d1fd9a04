"""Outages, limits and quiet hours, from the stream to the sink, by a clock that stands still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from headway.contract.cloud_events import OutwardEvent
from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.logs import get_logger
from headway.testing.clock import ManualClock
from headway.testing.life_events import events_of
from headway.testing.memory_bus import MemoryBus
from notifier import delivery as delivery_module
from notifier.batching import BatchRules
from notifier.quiet_hours import QuietHours
from notifier.rates import Rate
from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable
from tests.unit.notifier.doubles import TestableSink, a_finished_job, a_running_job
from tests.unit.notifier.life import Life, LifeOptions

RATE = Rate(messages_per_minute=30, burst=5)
FOR_PEOPLE = LifeOptions(rate=RATE, sees_repeats=True)


class Stage:
    """A bus, a clock, a sink, and one notifier life after the other on them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.bus = MemoryBus(clock)
        self.sink = TestableSink()
        self.options = FOR_PEOPLE
        self.sent_seconds: list[float] = []

    async def publish(self, *events: OutwardEvent) -> None:
        for event in events:
            await self.bus.publish(event.subject, event.body)

    async def publish_a_job(self) -> list[str]:
        """A finished job's events; their ids."""
        events = events_of(a_finished_job(self.clock.now()))
        await self.publish(*events)
        return [event.message_id for event in events]

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Life]:
        """A running notifier; leaving is a crash."""
        async with Life.of(self.bus, self.sink, self.clock, self.options) as life:
            await self.clock.advance(0.0)
            yield life


@pytest.fixture
async def stage(clock: ManualClock) -> Stage:
    stage = Stage(clock)
    await stage.bus.provision((NOTIFIER,), (EVENTS,))
    return stage


async def watch(stage: Stage, seconds: int) -> list[int]:
    """How many messages the sink had taken at the end of each second."""
    counts: list[int] = []
    for _ in range(seconds):
        await stage.clock.advance(1.0)
        counts.append(len(stage.sink.taken))
    return counts


async def test_a_thousand_ends_during_an_outage_are_all_told_within_the_limits(stage: Stage) -> None:
    """P26: batched, each job in order, ends first, and never more messages than the rate allows."""
    stage.sink.is_out = True
    async with stage.life() as life:
        running = events_of(a_running_job(stage.clock.now()))
        await stage.publish(*running)
        expected = {event.message_id for event in running}
        for _ in range(20):
            for _ in range(50):
                expected |= set(await stage.publish_a_job())
            await stage.clock.advance(180.0)
        assert stage.sink.taken == []
        stage.sink.is_out = False
        counts = await watch(stage, 330)
        assert life.delivery.num_failures == 0
    assert set(stage.sink.event_ids) == expected
    assert len(stage.sink.event_ids) == len(expected) == 4002
    assert len(stage.sink.taken) == 101
    assert all(len(message.sections) <= 10 for message in stage.sink.taken)
    assert stage.sink.heads == ["completed"] * 1000 + ["started"]
    for message in stage.sink.taken:
        for section in message.sections:
            numbers = [int(event_id.rpartition(":")[2]) for event_id in section.event_ids]
            assert numbers == sorted(numbers)
    assert all(later - earlier <= RATE.burst + 30 for earlier, later in zip(counts, counts[60:], strict=False))


async def test_a_flood_is_told_in_few_messages(stage: Stage) -> None:
    async with stage.life():
        for _ in range(300):
            await stage.publish(*events_of(a_running_job(stage.clock.now()))[:1])
            await stage.clock.advance(0.2)
        await stage.clock.advance(180.0)
    assert len(stage.sink.event_ids) == 300
    assert len(stage.sink.taken) <= 35 + RATE.burst


async def test_a_sink_that_is_shut_is_left_alone_until_somebody_acts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F51: no hammering, one line that says what to do, health red, nothing lost."""
    monkeypatch.setattr(delivery_module, "_log", get_logger("test"))
    stage.sink = TestableSink([SinkShut("401", remedy="set another token")] * 4)
    with capture_logs() as lines:
        async with stage.life() as life:
            expected = await stage.publish_a_job()
            for _ in range(6):
                expected += await stage.publish_a_job()
                await stage.clock.advance(600.0)
            assert stage.sink.num_tries <= 5
            assert (life.delivery.is_shut, life.health) == (True, [True, False])
            await stage.clock.advance(900.0)
            assert (life.delivery.is_shut, life.health) == (False, [True, False, True])
    assert sorted(stage.sink.event_ids) == sorted(expected)
    assert [line["remedy"] for line in lines if "remedy" in line] == ["set another token"]


async def test_a_message_that_may_have_arrived_is_sent_again_as_it_was(stage: Stage) -> None:
    """F49: the other side drops it by its nonce, which it could not if newer events were in it."""
    stage.sink = TestableSink(
        [SinkUnavailable("time-out", may_have_arrived=True), SinkUnavailable("slow down"), SinkUnavailable("again")]
    )
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(0.2)
        await stage.publish_a_job()
        await stage.clock.advance(60.0)
    assert [len(message.sections) for message in stage.sink.taken] == [2, 4]
    assert len({message.nonce for message in stage.sink.tried[:4]}) == 1


async def test_a_message_that_has_not_arrived_is_planned_anew(stage: Stage) -> None:
    stage.sink = TestableSink([SinkUnavailable("slow down")])
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(0.2)
        await stage.publish_a_job()
        await stage.clock.advance(60.0)
    assert [len(message.sections) for message in stage.sink.taken] == [6]


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_crash_while_sending_repeats_exactly_that_message(stage: Stage, is_taken: bool) -> None:
    """F49: the successor knows what was on its way, whatever has come meanwhile; so the repeat can be dropped."""
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        stage.sink.is_out = not is_taken
        stage.sink.hangs = True
        await stage.clock.advance(0.2)
        assert len(stage.sink.tried) == 1
    stage.sink.hangs = stage.sink.is_out = False
    await stage.publish_a_job()
    await stage.clock.advance(7200.0)
    async with stage.life():
        await stage.clock.advance(30.0)
    assert [message.nonce for message in stage.sink.tried[:2]] == [stage.sink.tried[0].nonce] * 2
    assert len(stage.sink.tried) == 3
    assert sorted(set(stage.sink.event_ids)) == sorted(
        event_id for message in stage.sink.tried[1:] for section in message.sections for event_id in section.event_ids
    )


async def test_what_was_on_its_way_and_is_gone_from_the_stream_holds_nothing_up(stage: Stage) -> None:
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now()))[:1])
        stage.sink.hangs = True
        await stage.clock.advance(0.2)
    stage.sink.hangs = False
    await stage.clock.advance(timedelta(days=31).total_seconds())
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(20.0)
    assert stage.sink.events[-2:] == ["queued", "started"]


async def test_a_fault_of_the_sink_itself_stops_neither_the_service_nor_the_rest(stage: Stage) -> None:
    """F-1: five tries, then only the event that it cannot take is set aside."""
    stage.sink.poison = "trainer.train.started"
    async with stage.life() as life:
        await stage.publish_a_job()
        await stage.clock.advance(300.0)
        assert life.feed.set_aside == {2: "CANNOT_BE_TOLD"}
    assert stage.sink.events == ["queued", "evaluated", "completed"]


async def test_a_section_of_many_events_that_is_refused_is_told_event_by_event(stage: Stage) -> None:
    stage.sink.is_out = True
    async with stage.life() as life:
        await stage.publish_a_job()
        await stage.clock.advance(90.0)
        stage.sink.failures = [SinkRefused("too long"), SinkRefused("one is bad")]
        stage.sink.is_out = False
        await stage.clock.advance(120.0)
        assert life.delivery.num_refused == 1
    assert stage.sink.events == ["started", "evaluated", "completed"]


async def test_what_a_sink_does_not_want_is_never_sent_and_never_comes_again(stage: Stage) -> None:
    stage.sink.unwanted = {"trainer.train.queued", "trainer.train.evaluated"}
    async with stage.life():
        await stage.publish_a_job()
        await stage.clock.advance(3.0)
    assert stage.sink.events == ["started", "completed"]
    stage.sink.unwanted = set()
    async with stage.life():
        await stage.clock.advance(300.0)
    assert stage.sink.events == ["started", "completed"]


async def test_a_new_sink_tells_the_last_hour_and_no_more(stage: Stage) -> None:
    await stage.publish_a_job()
    await stage.clock.advance(1800.0)
    recent = await stage.publish_a_job()
    await stage.clock.advance(2000.0)
    stage.sink.is_out = True
    async with stage.life():
        await stage.clock.advance(7200.0)
    stage.sink.is_out = False
    async with stage.life():  # It was out from its first day on: that does not make it newer.
        await stage.clock.advance(10.0)
    assert stage.sink.event_ids == recent


class TestQuietHours:
    @pytest.fixture
    async def night(self, stage: Stage) -> Stage:
        """The clock starts at midnight UTC; it is quiet until seven."""
        hours = QuietHours(time(22), time(7), ZoneInfo("UTC"))
        stage.options = LifeOptions(rules=BatchRules(quiet=hours), rate=RATE)
        assert stage.clock.now().hour == 0
        return stage

    async def test_only_ends_are_told_at_night_without_a_sound_and_the_rest_in_the_morning(self, night: Stage) -> None:
        async with night.life():
            for _ in range(15):
                await night.publish(*events_of(a_running_job(night.clock.now())))
            await night.clock.advance(600.0)
            assert night.sink.taken == []
            await night.publish_a_job()
            await night.clock.advance(5.0)
            assert night.sink.heads == ["completed"]
            assert night.sink.taken[0].is_silent
            await night.clock.advance(_until(night, 7) - 1.0)
            assert len(night.sink.taken) == 1
            await night.clock.advance(10.0)
        assert [len(message.sections) for message in night.sink.taken] == [1, 10, 5]
        assert [message.is_silent for message in night.sink.taken] == [True, False, False]
        assert len(night.sink.event_ids) == len(set(night.sink.event_ids)) == 34

    async def test_a_crash_at_night_loses_nothing(self, night: Stage) -> None:
        async with night.life():
            await night.publish(*events_of(a_running_job(night.clock.now())))
            await night.clock.advance(600.0)
        async with night.life() as life:
            await night.clock.advance(600.0)
            assert night.sink.taken == []
            await life.delivery.finish()  # And an ordinary end tells nothing before its time.
            assert night.sink.taken == []
        async with night.life():
            await night.clock.advance(_until(night, 7) + 10.0)
        assert night.sink.events == ["queued", "started"]


def _until(stage: Stage, hour: int) -> float:
    now: datetime = stage.clock.now()
    return (now.replace(hour=hour, minute=0, second=0, microsecond=0) - now).total_seconds()
