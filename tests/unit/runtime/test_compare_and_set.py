from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import Int64Value

from headway.contract.errors import Contention, InvalidTransition
from headway.contract.subjects import JOBS
from headway.runtime.clock import SystemClock
from headway.runtime.compare_and_set import MAX_TRIES, change_record
from headway.runtime.records import Records, Stored
from headway.testing.memory_bus import MemoryBus


class Raced:
    """Records in which somebody else writes between every read and write."""

    def __init__(self, records: Records[Int64Value], num_races: int) -> None:
        self._records = records
        self._left = num_races
        self.num_reads = 0

    async def get(self, key: str) -> Stored[Int64Value]:
        self.num_reads += 1
        stored = await self._records.get(key)
        if self._left > 0:
            self._left -= 1
            await self._records.update(key, Int64Value(value=stored.value.value + 100), stored.revision)
        return stored

    async def update(self, key: str, value: Int64Value, revision: int, *, ttl: timedelta | None = None) -> int:
        return await self._records.update(key, value, revision, ttl=ttl)


def plus_one(counter: Int64Value) -> Int64Value:
    counter.value += 1
    return counter


@pytest.fixture
async def records(memory_bus: MemoryBus) -> Records[Int64Value]:
    counters = memory_bus.records(JOBS, Int64Value)
    await counters.create("counter", Int64Value(value=0))
    return counters


async def test_a_lost_race_is_decided_again_on_the_new_value(records: Records[Int64Value]) -> None:
    changed = await change_record(Raced(records, 3), "counter", plus_one, ttl=None, clock=SystemClock())

    assert changed.value.value == 301
    assert (await records.get("counter")).value.value == 301


async def test_a_change_gives_up_when_others_always_win(records: Records[Int64Value]) -> None:
    raced = Raced(records, 1000)

    with pytest.raises(Contention) as raised:
        await change_record(raced, "counter", plus_one, ttl=None, clock=_NoWaiting())
    assert raced.num_reads == MAX_TRIES
    assert raised.value.retryable
    assert (await records.get("counter")).value.value == 100 * MAX_TRIES


async def test_what_the_decision_raises_passes_through(records: Records[Int64Value]) -> None:
    def refuse(_: Int64Value) -> None:
        raise InvalidTransition("the job is over")

    with pytest.raises(InvalidTransition):
        await records.change("counter", refuse)
    assert (await records.get("counter")).value.value == 0


class _NoWaiting(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await super().sleep(0)
