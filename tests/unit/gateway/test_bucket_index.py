import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.bucket_index import BucketIndex
from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import DATASETS
from headway.runtime.bus import Bus
from headway.runtime.clock import SystemClock
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.datasets_pb2 import Dataset
from headway.v1.records_pb2 import DatasetRecord


def a_record(name: str) -> DatasetRecord:
    return DatasetRecord(versions=[Dataset(name=name)])


@pytest.fixture
async def index(bus: Bus) -> AsyncIterator[BucketIndex[DatasetRecord]]:
    index = BucketIndex(bus, DATASETS, DatasetRecord, SystemClock())
    task = asyncio.create_task(index.run())
    yield index
    task.cancel()


async def names(index: BucketIndex[DatasetRecord], project: str = "p") -> list[str]:
    return sorted(record.versions[0].name for record in await index.entries(project))


async def test_an_empty_bucket_is_an_empty_list(index: BucketIndex[DatasetRecord]) -> None:
    assert await names(index) == []


async def test_what_is_written_is_seen_and_what_is_deleted_is_not(bus: Bus, index: BucketIndex[DatasetRecord]) -> None:
    records = bus.records(DATASETS, DatasetRecord)
    await records.create("p/a", a_record("a"))
    revision = await records.create("p/b", a_record("b"))
    await records.create("q/c", a_record("c"))
    await records.create("p/a/1", a_record("part of a"))
    await records.update("p/b", a_record("b2"), revision)

    async def is_seen() -> bool:
        return await names(index) == ["a", "b2"] and await names(index, "q") == ["c"]

    await eventually(is_seen)
    await records.delete("p/a")

    async def is_gone() -> bool:
        return await names(index) == ["b2"]

    await eventually(is_gone)


async def test_what_was_there_before_is_seen_from_the_first_list(bus: Bus) -> None:
    records = bus.records(DATASETS, DatasetRecord)
    for number in range(50):
        await records.create(f"p/d{number}", a_record(str(number)))
    index = BucketIndex(bus, DATASETS, DatasetRecord, SystemClock())
    task = asyncio.create_task(index.run())
    assert len(await names(index)) == 50
    task.cancel()


async def test_a_write_of_this_gateway_is_seen_at_once_and_never_goes_back(memory_bus: MemoryBus) -> None:
    index = BucketIndex(memory_bus, DATASETS, DatasetRecord, SystemClock())
    task = asyncio.create_task(index.run())
    await names(index)
    index.note("p/a", a_record("new"), revision=7)
    index.note("p/a", a_record("old"), revision=6)
    index.note("p/a/1", a_record("part"), revision=8)
    assert await names(index) == ["new"]
    task.cancel()


async def test_a_list_that_is_not_complete_is_not_told(memory_bus: MemoryBus) -> None:
    clock = ManualClock()
    index = BucketIndex(memory_bus, DATASETS, DatasetRecord, clock)
    asking = asyncio.create_task(index.entries("p"))
    await clock.advance(10)
    with pytest.raises(StoreUnavailable):
        await asking


async def test_a_record_that_cannot_be_read_hides_no_other(bus: Bus, index: BucketIndex[DatasetRecord]) -> None:
    await bus.publish(f"{DATASETS.prefix}p/bad", b"\xff\xff\xff")
    await bus.records(DATASETS, DatasetRecord).create("p/good", a_record("good"))

    async def is_seen() -> bool:
        return await names(index) == ["good"]

    await eventually(is_seen)


async def test_a_bucket_that_is_made_anew_is_followed_from_its_beginning(memory_bus: MemoryBus) -> None:
    index = BucketIndex(memory_bus, DATASETS, DatasetRecord, SystemClock())
    task = asyncio.create_task(index.run())
    await memory_bus.records(DATASETS, DatasetRecord).create("p/a", a_record("a"))

    async def is_seen() -> bool:
        return await names(index) == ["a"]

    await eventually(is_seen)
    memory_bus.replace(DATASETS)

    async def is_empty() -> bool:
        return await names(index) == []

    await eventually(is_empty)
    task.cancel()
