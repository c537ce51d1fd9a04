import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from gateway import log_outlet
from gateway.log_outlet import LogOutlet
from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import LOGS
from headway.runtime.feeds import Message
from headway.testing.builders import a_claimed_record, a_job
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_service_pb2 import LogLine
from tests.bytes_gateway import Tasks

JOB = a_job(a_claimed_record())


@pytest.fixture
async def outlet(memory_bus: MemoryBus) -> AsyncIterator[LogOutlet]:
    async with asyncio.TaskGroup() as group:
        yield LogOutlet(memory_bus, Tasks(group))


def lines(*numbers: int) -> list[LogLine]:
    return [LogLine(number=number, message=f"line {number}") for number in numbers]


async def numbers_told(bus: MemoryBus) -> list[int]:
    """Numbers of the lines in the stream, in its order."""
    messages: list[Message] = []
    state = await bus.stream_state(LOGS)
    async with bus.feed(LOGS) as feed:
        while len(messages) < state.num_messages:
            messages.append(await anext(aiter(feed)))
    return [int(line["number"]) for one in messages for line in json.loads(one.data)["data"]["lines"]]


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_lines_are_told_in_order(outlet: LogOutlet, memory_bus: MemoryBus) -> None:
    for number in (1, 3, 5):
        outlet.offer(JOB, "hosts/a", 1, lines(number, number + 1))
    await settled()
    assert await numbers_told(memory_bus) == [1, 2, 3, 4, 5, 6]


async def test_what_is_too_much_is_left_out_and_holds_up_nobody(
    outlet: LogOutlet, memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_outlet, "BATCHES_WAITING_MAX", 2)
    for number in range(1, 10):
        outlet.offer(JOB, "hosts/a", 1, lines(number))
    await settled()
    assert await numbers_told(memory_bus) == [1, 2]


async def test_a_server_that_is_away_costs_lines_and_nothing_else(
    outlet: LogOutlet, memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(memory_bus, "publish", away)
        outlet.offer(JOB, "hosts/a", 1, lines(1))
        await settled()
    outlet.offer(JOB, "hosts/a", 1, lines(2))
    await settled()
    assert await numbers_told(memory_bus) == [2]
