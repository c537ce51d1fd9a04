"""The watch over the store: it meets a new one, knows it again, and notices its loss (P3, F43)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.mirror_feed import MirrorFeed
from gateway.noted_records import NotedRecords
from gateway.projection.filter_sql import condition_for
from gateway.projection.order import NEWEST_FIRST
from gateway.projection.view import Projection
from gateway.store_access import StoreAccess, open_store
from gateway.store_guard import StoreLost
from gateway.store_watch import STORE_KEY, StoreIsBack, StoreWatch
from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BUCKETS, JOBS, MODELS, SETTINGS, STREAMS
from headway.runtime.clock import SystemClock
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.models_pb2 import Model
from headway.v1.records_pb2 import JobRecord, ModelRecord, StoreRecord
from tests.unit.gateway.builders import PROJECT, a_record, seen

ALL = condition_for(PROJECT, "")


@pytest.fixture
async def store(memory_bus: MemoryBus, tmp_path: Path) -> AsyncIterator[StoreAccess]:
    """A store that was met."""
    store = await open_store(memory_bus, tmp_path, SystemClock())
    yield store
    await store.projection.aclose()


def remove_projection(folder: Path) -> None:
    for path in folder.glob("projection.db*"):
        path.unlink()


async def empty_bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.provision(BUCKETS, STREAMS)
    return bus


def key(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


async def test_a_new_store_gets_an_identity_that_stays(memory_bus: MemoryBus, store: StoreAccess) -> None:
    stored = await memory_bus.records(SETTINGS, StoreRecord).find(STORE_KEY)
    assert stored is not None
    assert len(stored.value.store_id) == 32
    assert store.projection.mirror.store.store_id == stored.value.store_id
    assert not store.watch.is_lost


async def test_the_same_files_know_their_store_again_and_no_other_p3(memory_bus: MemoryBus, tmp_path: Path) -> None:
    first = await open_store(memory_bus, tmp_path, SystemClock())
    await first.projection.aclose()
    again = await open_store(memory_bus, tmp_path, SystemClock())
    assert not again.watch.is_lost
    await again.projection.aclose()
    other = await open_store(await empty_bus(), tmp_path, SystemClock())
    assert other.watch.is_lost
    with pytest.raises(StoreLost):
        await other.jobs.create("j1", a_record())
    await other.projection.aclose()


async def test_files_without_rows_do_not_begin_anew_on_an_empty_store_p3(memory_bus: MemoryBus, tmp_path: Path) -> None:
    first = await open_store(memory_bus, tmp_path, SystemClock())
    await first.projection.aclose()
    remove_projection(tmp_path)
    with pytest.raises(StoreLost, match="headway restore"):
        await open_store(await empty_bus(), tmp_path, SystemClock())
    # On its own store the rows are made anew.
    found = await open_store(memory_bus, tmp_path, SystemClock())
    assert not found.watch.is_lost
    await found.projection.aclose()


async def test_a_write_that_meets_a_bucket_made_anew_is_not_acknowledged_p3(
    memory_bus: MemoryBus, store: StoreAccess
) -> None:
    """However soon after the loss it comes: nobody has looked at the store yet."""
    for number in range(3):
        record = a_record()
        await store.jobs.create(key(record), record)
        store.projection.saw_everything_until(number)
    memory_bus.replace(JOBS)
    with pytest.raises(StoreUnavailable, match="open"):
        await store.jobs.create("j1", a_record())
    assert store.watch.is_lost
    with pytest.raises(StoreLost):
        await store.jobs.create("j2", a_record())


async def test_what_was_acknowledged_and_never_told_by_the_stream_is_known_after_its_loss_p3(
    memory_bus: MemoryBus, store: StoreAccess
) -> None:
    record = a_record()
    await store.jobs.create(key(record), record)
    memory_bus.replace(JOBS)
    store.watch.declare("it is gone")
    store.projection.stand_still()
    page = await store.projection.page(ALL, NEWEST_FIRST, None, 10)
    assert [JobRecord.FromString(row.data) for row in page.rows] == [record]
    found = await store.jobs.find(key(record))
    assert found is not None
    assert found.value == record


async def test_a_record_that_vanished_is_looked_after_before_it_is_said_not_to_be_p3(
    memory_bus: MemoryBus, store: StoreAccess
) -> None:
    record = a_record()
    store.projection.offer(seen(record, 1))
    await store.projection.begin((await memory_bus.stream_state(JOBS)).created)
    store.projection.offer(seen(record, 1))
    await store.projection.flush()
    memory_bus.replace(JOBS)
    found = await store.jobs.find(key(record))
    assert found is not None
    assert found.value == record
    assert store.watch.is_lost


async def test_a_bucket_made_anew_leaves_its_second_copy_alone_f43(memory_bus: MemoryBus, store: StoreAccess) -> None:
    feed = MirrorFeed(memory_bus, MODELS, store.projection.mirror, store.watch)
    following = asyncio.ensure_future(feed.run())
    models = store.records(MODELS, ModelRecord)
    await models.create("demo/iris", ModelRecord(model=Model(name="projects/demo/models/iris")))

    async def is_copied() -> bool:
        await store.projection.mirror.flush()
        return store.projection.mirror.find("models", "demo/iris") is not None

    await eventually(is_copied)
    memory_bus.replace(MODELS)
    await eventually(lambda: store.watch.is_lost)
    found = await models.get("demo/iris")
    assert found.value.model.name == "projects/demo/models/iris"
    following.cancel()


async def test_the_watch_ends_the_gateway_when_the_store_is_back_f43(
    memory_bus: MemoryBus, tmp_path: Path, clock: ManualClock
) -> None:
    projection = Projection(tmp_path / "projection.db", clock)
    watch = StoreWatch(memory_bus, projection, clock)
    await watch.meet()
    watch.declare("its disk is not there")
    running = asyncio.ensure_future(watch.run())
    with pytest.raises(StoreIsBack):
        await asyncio.wait_for(running, 5)
    await projection.aclose()


async def test_a_write_of_the_stream_that_is_followed_is_never_taken_for_a_loss(
    memory_bus: MemoryBus, store: StoreAccess
) -> None:
    """Many at once: acknowledgements do not come in the order of their revisions."""

    async def one() -> None:
        record = a_record()
        await store.jobs.create(key(record), record)

    await asyncio.gather(*(one() for _ in range(200)))
    assert not store.watch.is_lost
    unguarded = NotedRecords(memory_bus.records(JOBS, JobRecord), store.projection)
    record = a_record()
    assert await unguarded.create(key(record), record) == 201


async def test_one_lost_bucket_is_still_lost_at_the_next_start_f43(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Everything else being whole: its second copy must not be taken for that of the new, empty one."""
    first = await open_store(memory_bus, tmp_path, SystemClock())
    feed = asyncio.ensure_future(MirrorFeed(memory_bus, MODELS, first.projection.mirror, first.watch).run())
    await first.records(MODELS, ModelRecord).create("demo/iris", ModelRecord())

    async def is_copied() -> bool:
        await first.projection.mirror.flush()
        return first.projection.mirror.find("models", "demo/iris") is not None

    await eventually(is_copied)
    feed.cancel()
    await first.projection.aclose()
    memory_bus.replace(MODELS)
    again = await open_store(memory_bus, tmp_path, SystemClock())
    assert "models" in again.watch.why
    watching = asyncio.ensure_future(again.watch.run())
    await asyncio.sleep(0.1)
    assert not watching.done(), "the store should not count as being back"
    watching.cancel()
    await again.projection.aclose()
