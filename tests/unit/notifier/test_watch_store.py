"""Watches outlive the process, and no wish is lost."""

import asyncio

import pytest

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import NOTIFIER
from headway.runtime.bus import Bus
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import WatchesRecord
from notifier.watch_store import WatchStore


async def a_store(bus: Bus, *, is_watching_all: bool = False) -> WatchStore:
    store = WatchStore(bus.records(NOTIFIER, WatchesRecord), is_watching_all=is_watching_all)
    await store.load()
    return store


async def test_wishes_are_there_in_the_next_life(bus: Bus) -> None:
    store = await a_store(bus)
    await store.watch("projects/p/jobs/a")
    await store.watch("projects/p/jobs/b")
    await store.unwatch("projects/p/jobs/a")
    after = await a_store(bus, is_watching_all=True)  # The owner has spoken: the setting counts no more.
    assert after.watched() == ("projects/p/jobs/b",)
    assert not after.is_watching_all
    await after.watch_all(True)
    await after.forget("projects/p/jobs/b")
    last = await a_store(bus)
    assert (last.is_watching_all, last.watched(), last.is_watched("projects/p/jobs/c")) == (True, (), True)


async def test_the_setting_counts_until_the_owner_speaks(bus: Bus) -> None:
    assert (await a_store(bus, is_watching_all=True)).is_watched("projects/p/jobs/a")
    assert not (await a_store(bus)).is_watched("projects/p/jobs/a")


async def test_wishes_at_the_same_time_are_all_kept(bus: Bus) -> None:
    store, other = await a_store(bus), await a_store(bus)
    names = [f"projects/p/jobs/{number}" for number in range(6)]
    await asyncio.gather(*(one.watch(name) for name, one in zip(names, [store, other] * 3, strict=True)))
    assert set((await a_store(bus)).watched()) == set(names)


async def test_a_wish_that_could_not_be_kept_is_not_pretended(memory_bus: MemoryBus) -> None:
    store = await a_store(memory_bus)
    memory_bus.go_away()
    with pytest.raises(StoreUnavailable):
        await store.watch("projects/p/jobs/a")
    assert not store.is_watched("projects/p/jobs/a")
