"""The notifier as a process, on a real nats-server: in order, one duplicate a crash, never stuck, nothing lost."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headway.contract.subjects import EVENTS
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.testing.nats import running_nats
from headway.v1.records_pb2 import JobRecord
from tests.contract.notifier_process import NotifierProcess, ProcessEnded
from tests.unit.notifier.doubles import a_failed_job, a_finished_job

TITLES = ["Training queued", "Training started", "Model evaluated", "Training completed"]


def now() -> datetime:
    return datetime.now(UTC)


async def publish(bus: NatsBus, *jobs: JobRecord) -> list[str]:
    """Every event of these jobs; the jobs' ids."""
    for job in jobs:
        for event in events_of(job):
            await bus.publish(event.subject, event.body, message_id=event.message_id)
    return [job.job.name.rpartition("/")[2] for job in jobs]


def structured(process: NotifierProcess) -> list[dict[str, object]]:
    return [json.loads(line) for line in process.log.read_text(encoding="utf-8").splitlines()]


async def test_events_are_told_in_order_and_the_service_ends_in_order(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        first = await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: len(notifier.told) == 4)
        second = await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: len(notifier.told) == 8)
        assert await notifier.is_serving("headway.notifier.log")
        assert await notifier.stop() == 0
        expected = [(title, job) for job in (*first, *second) for title in TITLES]
        assert notifier.told == expected
        told = [line for line in structured(notifier) if line["event"] == "told"]
        assert [line["event_id"] for line in told] == [f"{job}:{n}" for job in (*first, *second) for n in range(1, 5)]


async def test_crashes_repeat_at_most_one_message_each_and_lose_nothing(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """P26, F49: killed at three instants while events flow."""
    jobs: list[str] = []
    told: list[tuple[str, str]] = []
    num_duplicates: list[int] = []
    for delay_seconds in (0.05, 0.15, 0.3):
        async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
            for _ in range(5):
                jobs += await publish(nats_bus, a_finished_job(now()))
            await asyncio.sleep(delay_seconds)
            await notifier.kill()
            told += notifier.told
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        await eventually(lambda: len({*told, *notifier.told}) == 4 * len(jobs), timeout_seconds=10.0)
        await notifier.stop()
        told += notifier.told
    assert set(told) == {(title, job) for job in jobs for title in TITLES}
    num_duplicates = [number - 1 for number in Counter(told).values() if number > 1]
    assert sum(num_duplicates) <= 3 * 10  # One message of ten events for each of three crashes.


async def test_poison_never_stops_what_comes_behind(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    """F-1 of the abuse corpus, on the wire."""
    job = a_finished_job(now())
    events = events_of(job)
    subject = events[0].subject
    future = events[3].body.replace(b"completed.v1", b"completed.v9")
    nameless = events[3].body.replace(job.job.name.rpartition("/")[2].encode(), b"")
    poison = [b"\xff\xfe", b"", b"{" * 60_000, future, nameless]
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        for event in events[:2]:
            await nats_bus.publish(event.subject, event.body)
        for body in poison:
            await nats_bus.publish(subject, body)
        await nats_bus.publish(events[0].subject, events[0].body)  # A sequence that goes back.
        for event in events[2:]:
            await nats_bus.publish(event.subject, event.body)
        await eventually(lambda: [title for title, _ in notifier.told] == TITLES)
        await notifier.stop()
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        [failed] = await publish(nats_bus, a_failed_job(now()))
        await eventually(lambda: ("Training failed", failed) in notifier.told)
        assert [title for title, _ in notifier.told] == ["Training queued", "Training started", "Training failed"]
        aside = [line for line in structured(notifier) if line["event"] == "event set aside"]
    reasons = ["NO_CLOUD_EVENT"] * 3 + ["UNKNOWN_VERSION", "NO_ID", "SEQUENCE_WENT_BACK"]
    assert [line["reason"] for line in aside] == reasons
    assert [line["num_set_aside"] for line in aside] == [1, 2, 3, 4, 5, 6]


async def test_a_sink_that_is_stuck_delays_and_drops_nothing(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """Nobody reads the standard output: the pipe fills, the service stays healthy, and everything comes in the end."""
    environ = {"HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS": "0"}
    folder = tmp_path / "notifier"
    async with NotifierProcess.run(nats_server, folder, is_read=False, **environ) as notifier:
        jobs = [(await publish(nats_bus, a_failed_job(now(), message="x" * 900)))[0] for _ in range(300)]
        assert await notifier.is_serving()
        assert len(structured(notifier)) < 3 * len(jobs)
        notifier.read()
        await eventually(lambda: len(notifier.told) == 3 * len(jobs), timeout_seconds=20.0)
        assert len(set(notifier.told)) == 3 * len(jobs)
        assert await notifier.stop() == 0


async def test_a_restart_of_the_server_is_survived(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        first = await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: len(notifier.told) == 4)
        await nats_server.kill()
        await nats_server.start()
        second = await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: len(notifier.told) == 8, timeout_seconds=20.0)
        assert notifier.told == [(title, job) for job in (*first, *second) for title in TITLES]


async def test_it_answers_nothing_but_the_health_check(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    await nats_bus.stream_state(EVENTS)
    async with NotifierProcess.run(nats_server, tmp_path / "notifier") as notifier:
        assert await notifier.is_serving()
        assert not await notifier.is_serving("headway.v1.JobService")


async def test_it_refuses_a_server_that_may_forget(tmp_path: Path) -> None:
    """P2, F44."""
    async with running_nats(tmp_path / "lazy", sync_interval="2m") as lazy:
        with pytest.raises(ProcessEnded, match="NOT_DURABLE"):
            async with NotifierProcess.run(lazy, tmp_path / "notifier"):
                pytest.fail("it runs")
