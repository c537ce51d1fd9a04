"""From the stream to the sink: in order, nothing twice, nothing dropped, never stuck. On the bus without a server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from headway.contract.cloud_events import OutwardEvent
from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.logs import get_logger
from headway.testing.clock import ManualClock
from headway.testing.life_events import events_of
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import NotifierRecord
from notifier import outlet as outlet_module
from notifier import reception as reception_module
from notifier.happening import Happening
from notifier.ledger import ledger_key
from notifier.messages import Section
from notifier.rules import section_of
from notifier.sinks import SinkRefused, SinkUnavailable
from tests.unit.notifier.doubles import TestableSink, a_failed_job, a_finished_job, a_running_job
from tests.unit.notifier.life import Life


class Stage:
    """A bus, a clock, a sink, and one notifier life after the other on them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.bus = MemoryBus(clock)
        self.sink = TestableSink()

    async def publish(self, *events: OutwardEvent) -> None:
        for event in events:
            await self.bus.publish(event.subject, event.body)

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Life]:
        """A running notifier; leaving is a crash."""
        async with Life.of(self.bus, self.sink, self.clock) as life:
            await self.clock.advance(0.0)
            yield life


@pytest.fixture
async def stage(clock: ManualClock) -> Stage:
    stage = Stage(clock)
    await stage.bus.provision((NOTIFIER,), (EVENTS,))
    return stage


async def test_events_are_told_in_order_as_one_message(stage: Stage) -> None:
    async with stage.life():
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
        await stage.clock.advance(0.09)
        assert stage.sink.taken == []
        await stage.clock.advance(0.02)
        assert stage.sink.events == ["queued", "started", "evaluated", "completed"]
        assert len(stage.sink.taken) == 1


async def test_what_comes_within_two_seconds_of_a_message_is_one_more(stage: Stage) -> None:
    async with stage.life():
        first, second, *rest = events_of(a_finished_job(stage.clock.now()))
        await stage.publish(first)
        await stage.clock.advance(0.2)
        assert stage.sink.events == ["queued"]
        await stage.publish(second)
        await stage.clock.advance(1.0)
        await stage.publish(*rest)
        await stage.clock.advance(0.8)
        assert len(stage.sink.taken) == 1
        await stage.clock.advance(0.2)
        assert stage.sink.events == ["queued", "started", "evaluated", "completed"]
        assert len(stage.sink.taken) == 2


async def test_a_quiet_life_tells_nothing_twice(stage: Stage) -> None:
    events = events_of(a_finished_job(stage.clock.now()))
    async with stage.life():
        await stage.publish(*events[:2])
        await stage.clock.advance(3.0)
    async with stage.life():
        await stage.publish(*events[2:])
        await stage.clock.advance(300.0)
    async with stage.life():
        await stage.clock.advance(300.0)
    assert stage.sink.events == ["queued", "started", "evaluated", "completed"]


async def test_what_came_while_nobody_was_there_is_told_with_ends_first(stage: Stage) -> None:
    async with stage.life():
        await stage.clock.advance(1.0)
    for _ in range(2):
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
    await stage.clock.advance(3600.0)
    async with stage.life():
        await stage.clock.advance(5.0)
    assert stage.sink.heads == ["completed"] * 2
    assert stage.sink.events == ["queued", "started", "evaluated", "completed"] * 2
    assert len(stage.sink.taken) == 1


async def test_an_outage_of_an_hour_delays_and_never_drops(stage: Stage) -> None:
    """P26."""
    async with stage.life() as life:
        stage.sink.is_out = True
        for _ in range(30):
            await stage.publish(*events_of(a_finished_job(stage.clock.now())))
            await stage.clock.advance(120.0)
        assert stage.sink.taken == []
        assert life.health == [True, False]
        stage.sink.is_out = False
        await stage.clock.advance(120.0)
        assert life.health == [True, False, True]
    assert stage.sink.heads == ["completed"] * 30
    assert len(stage.sink.taken) == 3
    assert sorted(stage.sink.events) == sorted(["queued", "started", "evaluated", "completed"] * 30)
    assert stage.sink.num_tries < 200


async def test_a_sink_that_asks_for_patience_is_left_alone(stage: Stage) -> None:
    stage.sink = TestableSink([SinkUnavailable("slow down", retry_after_seconds=30.0)])
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(30.0)
        assert stage.sink.num_tries == 1
        await stage.clock.advance(0.2)
        assert stage.sink.events == ["queued", "started"]


async def test_a_crash_between_sending_and_writing_down_repeats_one_message(stage: Stage) -> None:
    """P26 and F49: at most one duplicate for each crash."""
    jobs = [a_finished_job(stage.clock.now()) for _ in range(4)]
    async with stage.life():
        await stage.publish(*events_of(jobs[0]))
        await stage.clock.advance(3.0)
        await stage.publish(*events_of(jobs[1]))
        await stage.clock.advance(1.0)
        stage.bus.go_away()  # The sink takes the message; writing it down does not come through.
        await stage.clock.advance(3.0)
        assert len(stage.sink.taken) == 2
    stage.bus.come_back()
    async with stage.life():
        await stage.publish(*events_of(jobs[2]))
        await stage.clock.advance(3.0)
    ids = stage.sink.event_ids
    repeated = {event_id for event_id in ids if ids.count(event_id) > 1}
    assert repeated <= {event.message_id for event in events_of(jobs[1])}
    assert all(ids.count(event_id) <= 2 for event_id in ids)
    assert set(ids) == {event.message_id for job in jobs[:3] for event in events_of(job)}


async def test_a_crash_after_writing_down_repeats_nothing(stage: Stage) -> None:
    """The acknowledgement was lost with the process."""
    async with stage.life() as life:
        life.feed.loses_acknowledgements = True
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
        await stage.clock.advance(3.0)
    async with stage.life():
        await stage.clock.advance(300.0)
    assert stage.sink.events == ["queued", "started", "evaluated", "completed"]


async def test_a_crash_while_ends_went_first_leaves_nothing_out(stage: Stage) -> None:
    await stage.publish(*events_of(a_running_job(stage.clock.now())))
    for _ in range(12):
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
    await stage.clock.advance(3000.0)
    async with stage.life():
        await stage.clock.advance(1.9)
        stage.sink.fail_after(1)
        await stage.clock.advance(0.2)
        assert stage.sink.heads == ["completed"] * 10
    stage.sink.is_out = False
    async with stage.life():
        await stage.clock.advance(5.0)
    assert stage.sink.heads == ["completed"] * 12 + ["started"]
    assert len(set(stage.sink.event_ids)) == len(stage.sink.event_ids) == 12 * 4 + 2


async def test_poison_is_set_aside_once_and_stops_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-1 of the abuse corpus."""
    monkeypatch.setattr(reception_module, "_log", get_logger("test"))  # One that no other test has used.
    first, second = a_finished_job(stage.clock.now()), a_failed_job(stage.clock.now())
    subject = events_of(first)[0].subject
    with capture_logs() as lines:
        async with stage.life() as life:
            await stage.publish(*events_of(first)[:2])
            for garbage in (b"\xff", b"{}", b"[" * 1000):
                await stage.bus.publish(subject, garbage)
            await stage.publish(*events_of(first)[2:], *events_of(second))
            await stage.clock.advance(300.0)
            assert life.feed.set_aside == {3: "NO_CLOUD_EVENT", 4: "NO_CLOUD_EVENT", 5: "NO_CLOUD_EVENT"}
        async with stage.life() as life:
            await stage.clock.advance(300.0)
            assert life.reception.num_set_aside == 0
    assert stage.sink.events == ["queued", "started", "evaluated", "completed", "queued", "started", "failed"]
    assert [(line["event"], line["sequence"], line["num_set_aside"]) for line in lines] == [
        ("event set aside", sequence, count) for count, sequence in enumerate((3, 4, 5), start=1)
    ]


async def test_an_event_that_goes_back_in_its_job_is_set_aside(stage: Stage) -> None:
    events = events_of(a_finished_job(stage.clock.now()))
    async with stage.life() as life:
        await stage.publish(*events[:3], events[0], events[3])
        await stage.clock.advance(3.0)
        assert life.reception.num_set_aside == 1
    async with stage.life() as life:
        await stage.publish(events[1])
        await stage.clock.advance(3.0)
        assert life.reception.num_set_aside == 1
    assert stage.sink.events == ["queued", "started", "evaluated", "completed"]


async def test_an_event_that_was_published_twice_is_told_once(stage: Stage) -> None:
    """P25: consumers can drop duplicates."""
    events = events_of(a_finished_job(stage.clock.now()))
    async with stage.life() as life:
        await stage.publish(*(event for event in events for _ in range(2)))
        await stage.clock.advance(3.0)
        assert (life.reception.num_repeated, life.reception.num_set_aside) == (4, 0)
    assert stage.sink.events == ["queued", "started", "evaluated", "completed"]


async def test_what_the_sink_refuses_is_set_aside_and_its_neighbours_are_told(stage: Stage) -> None:
    refusal = SinkRefused("too ugly")
    stage.sink = TestableSink([refusal, refusal])  # The whole message, then its first event alone.
    async with stage.life() as life:
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
        await stage.clock.advance(3.0)
        assert life.delivery.num_refused == 1
        assert life.feed.set_aside == {1: "CANNOT_BE_TOLD"}
    async with stage.life():
        await stage.clock.advance(300.0)
    assert stage.sink.events == ["started", "evaluated", "completed"]


async def test_an_event_that_there_are_no_words_for_stops_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(happening: Happening, earlier: Sequence[Happening], *, now: datetime) -> Section:
        if happening.event == "trainer.train.started":
            raise ZeroDivisionError
        return section_of(happening, earlier, now=now)

    monkeypatch.setattr(outlet_module, "section_of", speechless)
    async with stage.life() as life:
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
        await stage.clock.advance(3.0)
        assert life.delivery.num_refused == 1
    assert stage.sink.events == ["queued", "evaluated", "completed"]


async def test_a_stream_that_was_made_anew_is_told_from_its_beginning(stage: Stage) -> None:
    async with stage.life():
        await stage.publish(*events_of(a_finished_job(stage.clock.now())))
        await stage.clock.advance(3.0)
    stage.bus.replace(EVENTS)
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(3.0)
    assert stage.sink.events == ["queued", "started", "evaluated", "completed", "queued", "started"]


async def test_old_events_that_the_stream_dropped_hold_nothing_up(stage: Stage) -> None:
    async with stage.life():
        await stage.publish(*events_of(a_running_job(stage.clock.now()))[:1])
        await stage.clock.advance(3.0)
    await stage.publish(*events_of(a_finished_job(stage.clock.now())))
    await stage.clock.advance(timedelta(days=31).total_seconds())
    async with stage.life() as life:
        await stage.publish(*events_of(a_running_job(stage.clock.now())))
        await stage.clock.advance(3.0)
        assert life.ledger.settled.ahead == []
    assert stage.sink.events == ["queued", "queued", "started"]


async def test_the_end_of_the_service_does_not_wait_for_the_window(stage: Stage) -> None:
    async with stage.life() as life:
        first, second = events_of(a_running_job(stage.clock.now()))
        await stage.publish(first)
        await stage.clock.advance(0.2)
        await stage.publish(second)
        await stage.clock.advance(0.2)
        assert stage.sink.events == ["queued"]
        await life.delivery.finish()
        assert stage.sink.events == ["queued", "started"]


async def test_what_was_told_is_on_record(stage: Stage) -> None:
    record = a_finished_job(stage.clock.now())
    async with stage.life():
        await stage.publish(*events_of(record))
        await stage.clock.advance(3.0)
    kept = (await stage.bus.records(NOTIFIER, NotifierRecord).get(ledger_key("test"))).value
    assert (kept.delivered_sequence, list(kept.delivered_ahead)) == (4, [])
    assert [(place.stream_sequence, place.transition_number) for place in kept.job_places] == [(4, 4)]
    assert record.job.name.endswith(kept.job_places[0].job_id)
