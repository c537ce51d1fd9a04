"""What every implementation of records promises: compare-and-set, nothing lost, nothing written twice."""

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from headway.contract.subjects import HOSTS, JOBS, MAX_RECORD_BYTES
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import MessageTooLarge
from headway.runtime.records import Conflict, RecordExists, RecordMissing, Records, record_key, split_key
from headway.testing.eventually import eventually

_A_SECOND = timedelta(seconds=1)


@pytest.fixture
def records(bus: Bus) -> Records[StringValue]:
    return bus.records(JOBS, StringValue)


async def test_a_created_record_is_read_back(records: Records[StringValue]) -> None:
    revision = await records.create("job-1", StringValue(value="one"))

    stored = await records.get("job-1")

    assert (stored.key, stored.value.value, stored.revision) == ("job-1", "one", revision)
    assert stored.time.tzinfo is not None


async def test_an_empty_message_is_a_record(records: Records[StringValue]) -> None:
    await records.create("job-1", StringValue())

    assert (await records.get("job-1")).value == StringValue()


async def test_a_record_that_was_never_made_is_missing(records: Records[StringValue]) -> None:
    with pytest.raises(RecordMissing):
        await records.get("job-1")
    assert await records.find("job-1") is None


async def test_a_second_create_is_refused_and_changes_nothing(records: Records[StringValue]) -> None:
    await records.create("job-1", StringValue(value="one"))

    with pytest.raises(RecordExists):
        await records.create("job-1", StringValue(value="two"))
    assert (await records.get("job-1")).value.value == "one"


async def test_of_many_concurrent_creates_one_wins(records: Records[StringValue]) -> None:
    outcomes = await asyncio.gather(
        *(records.create("job-1", StringValue(value=str(number))) for number in range(64)), return_exceptions=True
    )

    winners = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, int)]
    losers = [outcome for outcome in outcomes if isinstance(outcome, RecordExists)]
    assert (len(winners), len(losers)) == (1, 63)
    assert (await records.get("job-1")).value.value == str(winners[0])


async def test_an_update_on_the_revision_read_is_taken(records: Records[StringValue]) -> None:
    first = await records.create("job-1", StringValue(value="one"))

    second = await records.update("job-1", StringValue(value="two"), first)

    assert second > first
    assert (await records.get("job-1")).revision == second


async def test_an_update_on_a_stale_revision_is_refused(records: Records[StringValue]) -> None:
    first = await records.create("job-1", StringValue(value="one"))
    await records.update("job-1", StringValue(value="two"), first)

    with pytest.raises(Conflict):
        await records.update("job-1", StringValue(value="three"), first)
    assert (await records.get("job-1")).value.value == "two"


async def test_an_update_of_a_missing_record_is_refused(records: Records[StringValue]) -> None:
    with pytest.raises(Conflict):
        await records.update("job-1", StringValue(value="one"), 7)


async def test_a_put_overwrites(records: Records[StringValue]) -> None:
    await records.put("host-1", StringValue(value="one"))
    await records.put("host-1", StringValue(value="two"))

    assert (await records.get("host-1")).value.value == "two"


async def test_a_deleted_record_is_missing_and_can_be_created_again(records: Records[StringValue]) -> None:
    revision = await records.create("job-1", StringValue(value="one"))

    await records.delete("job-1", revision)

    assert await records.find("job-1") is None
    again = await records.create("job-1", StringValue(value="two"))
    assert again > revision
    assert (await records.get("job-1")).value.value == "two"


async def test_a_delete_on_a_stale_revision_is_refused(records: Records[StringValue]) -> None:
    first = await records.create("job-1", StringValue(value="one"))
    await records.update("job-1", StringValue(value="two"), first)

    with pytest.raises(Conflict):
        await records.delete("job-1", first)
    await records.delete("job-1")
    await records.delete("job-1")
    assert await records.find("job-1") is None


async def test_a_record_with_a_time_to_live_vanishes_and_can_be_created_again(bus: Bus) -> None:
    # The server leaves a marker that looks like a value with no bytes; nats-py takes it for one.
    hosts = bus.records(HOSTS, StringValue)
    await hosts.create("host-1", StringValue(value="one"), ttl=_A_SECOND)
    assert await hosts.find("host-1") is not None

    async def is_gone() -> bool:
        return await hosts.find("host-1") is None

    await eventually(is_gone)
    await hosts.create("host-1", StringValue(value="two"))
    assert (await hosts.get("host-1")).value.value == "two"


async def test_an_update_without_a_time_to_live_keeps_the_record(bus: Bus) -> None:
    hosts = bus.records(HOSTS, StringValue)
    revision = await hosts.create("host-1", StringValue(value="one"), ttl=_A_SECOND)
    await hosts.update("host-1", StringValue(value="two"), revision)
    await hosts.create("host-2", StringValue(value="clock"), ttl=_A_SECOND)

    async def is_second_gone() -> bool:
        return await hosts.find("host-2") is None

    await eventually(is_second_gone)
    assert (await hosts.get("host-1")).value.value == "two"


async def test_a_change_writes_what_was_decided(records: Records[StringValue]) -> None:
    await records.create("job-1", StringValue(value="one"))

    def decide(value: StringValue) -> StringValue:
        value.value += " and two"
        return value

    changed = await records.change("job-1", decide)

    assert changed.value.value == "one and two"
    stored = await records.get("job-1")
    assert (stored.value, stored.revision) == (changed.value, changed.revision)


async def test_a_change_that_decides_nothing_leaves_the_record(records: Records[StringValue]) -> None:
    revision = await records.create("job-1", StringValue(value="one"))

    def decide(value: StringValue) -> None:
        value.value = "scribbled on"

    left = await records.change("job-1", decide)

    assert (left.revision, left.value.value) == (revision, "one")
    assert (await records.get("job-1")).revision == revision


async def test_a_change_of_a_missing_record_says_so(records: Records[StringValue]) -> None:
    with pytest.raises(RecordMissing):
        await records.change("job-1", lambda value: value)


async def test_concurrent_changes_all_take_effect(bus: Bus) -> None:
    counters = bus.records(JOBS, Int64Value)
    await counters.create("counter", Int64Value(value=0))

    await asyncio.gather(
        *(counters.change("counter", lambda counter: Int64Value(value=counter.value + 1)) for _ in range(12))
    )

    assert (await counters.get("counter")).value.value == 12


async def test_a_change_can_set_a_time_to_live(records: Records[StringValue]) -> None:
    await records.create("job-1", StringValue(value="one"))

    await records.change("job-1", lambda value: value, ttl=lambda _: _A_SECOND)

    async def is_gone() -> bool:
        return await records.find("job-1") is None

    await eventually(is_gone)


async def test_a_record_over_the_limit_is_refused_and_the_bus_lives_on(records: Records[StringValue]) -> None:
    for size in (MAX_RECORD_BYTES + 1, 2 * 1024 * 1024):
        with pytest.raises(MessageTooLarge):
            await records.create("job-1", StringValue(value="x" * size))

    await records.create("job-1", StringValue(value="one"))


@pytest.mark.parametrize("key", ["", ".", "a.b", "a b", "*", "a/>", "/a", "a/", "ä", "a" * 513])
async def test_a_key_that_the_server_would_misread_is_refused(records: Records[StringValue], key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        await records.create(key, StringValue())


def test_a_key_of_ids_comes_apart_again() -> None:
    key = record_key("project-1", "model.v1_x")

    assert key == "project-1/model=v1_x"
    assert split_key(key) == ("project-1", "model.v1_x")
