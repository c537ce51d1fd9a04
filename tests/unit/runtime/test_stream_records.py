"""What happens when the answer to a write is lost."""

from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import JOBS
from headway.runtime.bus_errors import OutcomeUnknown, SequenceConflict
from headway.runtime.records import Conflict, RecordExists
from headway.runtime.stream_records import send_until_known
from headway.testing.memory_bus import MemoryBus


async def test_a_create_that_happened_unheard_is_a_success(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    memory_bus.lose_answers()

    revision = await jobs.create("j1", StringValue(value="one"))

    assert (await jobs.get("j1")).revision == revision == 1
    with pytest.raises(RecordExists):
        await jobs.create("j1", StringValue(value="other"))


async def test_an_update_that_happened_unheard_is_a_success(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    first = await jobs.create("j1", StringValue(value="one"))
    memory_bus.lose_answers()

    assert await jobs.update("j1", StringValue(value="two"), first) == 2


async def test_a_change_that_happened_unheard_is_made_once(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    await jobs.create("j1", StringValue(value=""))
    memory_bus.lose_answers()

    changed = await jobs.change("j1", lambda value: StringValue(value=value.value + "x"))

    assert changed.value.value == (await jobs.get("j1")).value.value == "x"


async def test_a_create_that_lost_the_race_unheard_is_refused(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    await jobs.create("j1", StringValue(value="theirs"))

    outcomes = _outcomes(OutcomeUnknown("lost"), SequenceConflict("j1"))
    with pytest.raises(SequenceConflict):
        await send_until_known(outcomes, _nothing_of_mine)
    with pytest.raises(RecordExists):
        await jobs.create("j1", StringValue(value="mine"))


async def test_an_update_after_somebody_elses_is_refused(memory_bus: MemoryBus) -> None:
    jobs = memory_bus.records(JOBS, StringValue)
    first = await jobs.create("j1", StringValue(value="one"))
    await jobs.update("j1", StringValue(value="theirs"), first)
    memory_bus.lose_answers()

    with pytest.raises(Conflict):
        await jobs.update("j1", StringValue(value="mine"), first)


async def test_a_refusal_that_was_heard_is_not_looked_into() -> None:
    # The bytes found could be equal by chance; only an unknown outcome makes them ours.
    async def find_mine() -> int | None:
        return 7

    with pytest.raises(SequenceConflict):
        await send_until_known(_outcomes(SequenceConflict("j1")), find_mine)


async def test_a_server_that_never_answers_is_given_up() -> None:
    with pytest.raises(StoreUnavailable):
        await send_until_known(_outcomes(*[OutcomeUnknown("lost")] * 10), _nothing_of_mine)


async def _nothing_of_mine() -> int | None:
    return None


def _outcomes(*outcomes: Exception | int) -> Callable[[], Awaitable[int]]:
    left = list(outcomes)

    async def send() -> int:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return send
