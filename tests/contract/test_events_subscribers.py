"""P25, as somebody outside sees it: programs written from docs/events.md alone, real nats-server, real publisher."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path

import pytest

from headway.contract import transitions
from headway.contract.errors import StoreUnavailable
from headway.contract.event_catalogue import BY_TYPE
from headway.contract.ids import JobName
from headway.contract.subjects import BUCKETS, EVENTS, JOBS, STREAMS
from headway.runtime.clock import SystemClock
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.runtime.records import Records
from headway.runtime.redaction import Redactor
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.testing.eventually import eventually
from headway.testing.nats import running_nats
from headway.v1.jobs_pb2 import FAILURE_CLASS_USER_INPUT, Failure, JobResult
from headway.v1.records_pb2 import JobRecord
from scheduler.events_publisher import EventsPublisher
from tests.contract.subscriber_process import Printed, Subscriber, javascript_command, python_command, subscribing
from tests.event_samples import life_of

NUM_JOBS = 100
LIMIT_SECONDS = 60.0
Command = Callable[[Path], list[str]]
EXAMPLES = pytest.mark.parametrize("make_command", [python_command, javascript_command])


@asynccontextmanager
async def publishing(server: NatsServer) -> AsyncIterator[NatsBus]:
    """The scheduler's publisher at work, and a connection like its own."""
    async with connect(server.url, "scheduler") as bus, asyncio.TaskGroup() as group:
        await bus.provision(BUCKETS, STREAMS)
        publisher = group.create_task(
            EventsPublisher(bus, SystemClock(), clean=Redactor().clean, is_leading=lambda: True).run()
        )
        yield bus
        publisher.cancel()


def a_life(number: int) -> list[JobRecord]:
    """A job's record as it is written one time after the other; the end is another in turn."""
    queued = a_record(now=SystemClock().now())
    claimed = a_claimed_record(queued)
    moved = transitions.lose_attempt(claimed, attempt=1, now=A_MOMENT)
    again = a_claimed_record(moved)
    asked = transitions.request_cancel(again, message="", now=A_MOMENT)
    assert asked is not None
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="DEGENERATE_TARGET", message="one class only")
    result = JobResult(attempt=2)
    lives = (
        [moved, again, transitions.commit_result(again, host=again.job.host, result=result, now=A_MOMENT)],
        [moved, again, transitions.fail_attempt(again, attempt=2, failure=failure, now=A_MOMENT)],
        [moved, again, asked, transitions.confirm_cancelled(asked, attempt=2, now=A_MOMENT)],
        # Several changes in one write, as when the bucket's consumer comes late.
        [transitions.confirm_cancelled(asked, attempt=2, now=A_MOMENT)],
    )
    return [queued, claimed, *lives[number % len(lives)]]


async def write(records: Records[JobRecord], life: list[JobRecord]) -> None:
    for record in life:
        job_id = JobName.parse(record.job.name).job_id
        while True:
            try:
                await records.put(job_id, record)
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)


def expected_of(lives: list[list[JobRecord]]) -> dict[str, list[str]]:
    """Ids of the events of each job, in order."""
    return {
        JobName.parse(life[-1].job.name).job_id: [event.message_id for event in life_of(life[-1])] for life in lives
    }


def by_job(printed: list[Printed]) -> dict[str, list[str]]:
    ordered = sorted(printed, key=lambda line: line.job)
    return {job: [line.id for line in lines] for job, lines in groupby(ordered, key=lambda line: line.job)}


async def until_printed(subscriber: Subscriber, num_lines: int) -> None:
    await eventually(lambda: len(subscriber.printed()) >= num_lines, timeout_seconds=LIMIT_SECONDS)


@EXAMPLES
async def test_every_event_of_a_hundred_jobs_comes_once_and_in_order_over_a_crash_of_the_server(
    make_command: Command, tmp_path: Path
) -> None:
    lives = [a_life(number) for number in range(NUM_JOBS)]
    expected = expected_of(lives)
    num_events = sum(map(len, expected.values()))
    command = await asyncio.to_thread(make_command, tmp_path)
    async with running_nats(tmp_path / "nats") as server, publishing(server) as bus:
        with subscribing(command, tmp_path, {"NATS_URL": server.url}) as subscriber:
            writing = asyncio.gather(*(write(bus.records(JOBS, JobRecord), life) for life in lives[: NUM_JOBS // 2]))
            await until_printed(subscriber, 50)

            # It dies while records are written, events are published and events are read.
            await server.kill()
            late = asyncio.gather(*(write(bus.records(JOBS, JobRecord), life) for life in lives[NUM_JOBS // 2 :]))
            await server.start()
            await writing
            await late
            await until_printed(subscriber, num_events)

            # The same event once more, from somebody who gives it no message id for the server to know it by.
            last = await bus.last_message(EVENTS, EVENTS.subjects[0])
            assert last is not None
            await bus.publish(last.subject, last.data)
            marker = [a_life(1)]
            await write(bus.records(JOBS, JobRecord), marker[0])
            expected |= expected_of(marker)
            num_events = sum(map(len, expected.values()))
            await until_printed(subscriber, num_events)

            assert by_job(subscriber.printed()) == expected
            assert subscriber.stop() == 0, subscriber.complaints.read_text(encoding="utf-8")


@EXAMPLES
async def test_a_subscriber_that_was_killed_goes_on_where_it_was(make_command: Command, tmp_path: Path) -> None:
    """It may print once more what it had not acknowledged, and nothing else."""
    lives = [a_life(number) for number in range(20)]
    expected = expected_of(lives)
    num_events = sum(map(len, expected.values()))
    command = await asyncio.to_thread(make_command, tmp_path)
    async with running_nats() as server, publishing(server) as bus:
        writing = asyncio.gather(*(write(bus.records(JOBS, JobRecord), life) for life in lives))
        with subscribing(command, tmp_path, {"NATS_URL": server.url}) as subscriber:
            await until_printed(subscriber, 10)
            subscriber.process.kill()
            subscriber.process.wait()
        await writing
        with subscribing(command, tmp_path, {"NATS_URL": server.url}) as subscriber:
            ids = {one for of_job in expected.values() for one in of_job}
            await eventually(lambda: ids <= {line.id for line in subscriber.printed()}, timeout_seconds=LIMIT_SECONDS)
            printed = [line.id for line in subscriber.printed()]
    assert len(printed) - num_events in {0, 1}
    once = list(dict.fromkeys(printed))
    assert [one for one in once if one.startswith(next(iter(expected)))] == next(iter(expected.values()))


@EXAMPLES
async def test_a_later_version_and_what_is_no_event_do_no_harm(make_command: Command, tmp_path: Path) -> None:
    """Fields and attributes are added within v1."""
    command = await asyncio.to_thread(make_command, tmp_path)
    (event, *_) = life_of(a_record())
    newer = event.body.replace(b'"data":{', b'"newattribute":"x","data":{"a_later_field":{"deep":[1]},')
    async with running_nats() as server, connect(server.url, "scheduler") as bus:
        await bus.provision(BUCKETS, STREAMS)
        await bus.publish(event.subject, b"no event at all")
        await bus.publish(event.subject, newer, message_id=event.message_id)
        with subscribing(command, tmp_path, {"NATS_URL": server.url}) as subscriber:
            await until_printed(subscriber, 1)
            assert subscriber.printed()[0].type in BY_TYPE
            assert subscriber.stop() == 0


def test_the_examples_use_nothing_of_headway_and_name_no_registry() -> None:
    folder = Path(__file__).parent.parent.parent / "examples" / "subscribers"
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    assert "package-lock.json" not in texts
    for name, text in texts.items():
        assert "import headway" not in text, name
        assert "from headway" not in text, name
        assert "registry" not in text, name
