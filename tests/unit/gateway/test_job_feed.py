"""The one follower of the jobs bucket, from a real interface to it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.job_feed import JobFeed
from gateway.noted_records import NotedRecords
from gateway.projection.filter_sql import condition_for
from gateway.projection.order import NEWEST_FIRST
from gateway.projection.rows import JobSeen
from gateway.projection.view import Projection
from gateway.queue_depth import QueueDepth
from headway.contract.errors import QueueFull
from headway.contract.subjects import JOBS
from headway.contract.transitions import request_cancel
from headway.runtime.clock import SystemClock
from headway.runtime.feeds import Message
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.testing.memory_feed import MemoryFeed
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import NOW, PROJECT, a_record

ALL = condition_for(PROJECT, "")


@dataclass
class Listener:
    seen: list[JobSeen] = field(default_factory=list)

    def saw(self, seen: JobSeen) -> None:
        self.seen.append(seen)


@dataclass
class Follower:
    """A feed that runs, with all that listens to it."""

    projection: Projection
    queue: QueueDepth
    listener: Listener
    records: NotedRecords
    task: "asyncio.Task[None]"

    async def total(self) -> int:
        return (await self.projection.page(ALL, NEWEST_FIRST, None, 1)).total

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.projection.flush()
        await self.projection.aclose()


async def start(bus: MemoryBus, path: Path) -> Follower:
    projection, queue, listener = Projection(path, SystemClock()), QueueDepth(per_project=3, per_key=3), Listener()
    task = asyncio.ensure_future(JobFeed(bus, projection, queue, [listener]).run())
    await asyncio.sleep(0.02)
    return Follower(projection, queue, listener, NotedRecords(bus.records(JOBS, JobRecord), projection), task)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projection.db"


@pytest.fixture
async def follower(memory_bus: MemoryBus, path: Path) -> AsyncIterator[Follower]:
    follower = await start(memory_bus, path)
    yield follower
    await follower.stop()


def key(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


async def test_every_acknowledged_write_is_in_the_next_list_p23(follower: Follower) -> None:
    for number in range(1, 30):
        record = a_record()
        await follower.records.create(key(record), record)
        assert await follower.total() == number


async def test_listeners_hear_each_revision_in_order(follower: Follower) -> None:
    record = a_record()
    # One by one: of revisions that come faster than they are read, a bucket tells the last only.
    await follower.records.create(key(record), record)
    await eventually(lambda: len(follower.listener.seen) == 1)
    await follower.records.change(key(record), lambda found: request_cancel(found, message="", now=NOW))
    await eventually(lambda: len(follower.listener.seen) == 2)
    await follower.records.delete(key(record))
    await eventually(lambda: len(follower.listener.seen) == 3)
    states = [None if seen.record is None else seen.record.job.state for seen in follower.listener.seen]
    assert states[0] != states[1]
    assert states[2] is None
    revisions = [seen.revision for seen in follower.listener.seen]
    assert revisions == sorted(revisions)


async def test_a_restart_goes_on_and_lists_what_was_acknowledged_before_p23(memory_bus: MemoryBus, path: Path) -> None:
    first = await start(memory_bus, path)
    for _ in range(3):
        record = a_record()
        await first.records.create(key(record), record)
    await eventually(lambda: len(first.listener.seen) == 3)
    await first.stop()
    missed = a_record()
    await memory_bus.records(JOBS, JobRecord).create(key(missed), missed)
    second = await start(memory_bus, path)
    assert await second.total() == 4
    await eventually(lambda: [seen.job_id for seen in second.listener.seen] == [key(missed)])
    await second.stop()


async def test_a_list_right_after_a_restart_waits_for_what_was_acknowledged_before_p23(
    memory_bus: MemoryBus, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, read = asyncio.Event(), MemoryFeed.__anext__

    async def read_when_let(feed: MemoryFeed) -> Message:
        await gate.wait()
        return await read(feed)

    monkeypatch.setattr(MemoryFeed, "__anext__", read_when_let)
    record = a_record()
    await memory_bus.records(JOBS, JobRecord).create(key(record), record)
    follower = await start(memory_bus, path)
    listing = asyncio.ensure_future(follower.total())
    await asyncio.sleep(0.1)
    assert not listing.done(), "the list should not be answered from rows that are known to be too few"
    gate.set()
    assert await listing == 1
    await follower.stop()


async def test_the_queue_is_known_after_a_restart_b22(memory_bus: MemoryBus, path: Path) -> None:
    first = await start(memory_bus, path)
    for _ in range(3):
        record = a_record()
        await first.records.create(key(record), record)
    await eventually(lambda: len(first.listener.seen) == 3)
    await first.stop()
    second = await start(memory_bus, path)

    def is_full() -> bool:
        try:
            second.queue.reserve("jx", PROJECT, "another")
        except QueueFull:
            return True
        second.queue.release("jx", PROJECT, "another")
        return False

    await eventually(is_full)
    await second.stop()


async def test_a_record_that_cannot_be_read_hides_no_other(memory_bus: MemoryBus, follower: Follower) -> None:
    await memory_bus.publish("$KV.jobs.bad", b"\xff\xff\xff")
    record = a_record()
    await follower.records.create(key(record), record)
    assert await follower.total() == 1
    assert not follower.task.done()


async def test_an_update_is_noted_as_a_create_is_p23(follower: Follower) -> None:
    record = a_record()
    revision = await follower.records.create(key(record), record)
    cancelled = request_cancel(record, message="", now=NOW)
    assert cancelled is not None
    await follower.records.update(key(record), cancelled, revision)
    page = await follower.projection.page(condition_for(PROJECT, "state = CANCELLED"), NEWEST_FIRST, None, 5)
    assert page.total == 1
