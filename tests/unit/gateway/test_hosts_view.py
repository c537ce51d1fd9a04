"""The hosts in memory, from the bucket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.hosts_view import HostsView
from headway.contract.errors import InvalidPageToken, OutOfRange
from headway.contract.subjects import HOSTS
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.hosts_pb2 import HOST_STATE_LOST, HOST_STATE_UP, Host, HostState, RecipeReport
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.records_pb2 import HostRecord


async def put(bus: MemoryBus, host_id: str, state: "HostState.ValueType" = HOST_STATE_UP) -> None:
    host = Host(
        name=f"hosts/{host_id}",
        mode=EXECUTION_MODE_LOCAL,
        state=state,
        torch_version="2.13",
        recipes=[RecipeReport(kind="tabular_train", available=True)],
    )
    await bus.records(HOSTS, HostRecord).put(host_id, HostRecord(host=host))


@pytest.fixture
async def view(memory_bus: MemoryBus) -> AsyncIterator[HostsView]:
    view = HostsView(memory_bus)
    running = asyncio.ensure_future(view.run())
    yield view
    running.cancel()


def names(view: HostsView) -> list[str]:
    return [facts.name for facts in view.live()]


async def test_hosts_come_and_go(memory_bus: MemoryBus, view: HostsView) -> None:
    await put(memory_bus, "b")
    await put(memory_bus, "a")
    await eventually(lambda: names(view) == ["hosts/a", "hosts/b"])
    await memory_bus.records(HOSTS, HostRecord).delete("a")
    await eventually(lambda: names(view) == ["hosts/b"])


async def test_a_lost_host_is_listed_as_unreachable_and_is_not_live(memory_bus: MemoryBus, view: HostsView) -> None:
    await put(memory_bus, "a")
    await put(memory_bus, "b", HOST_STATE_LOST)
    await eventually(lambda: len(view.all()) == 2)
    assert names(view) == ["hosts/a"]
    listed = view.list_hosts(0, "")
    assert [host.name for host in listed.hosts] == ["hosts/a", "hosts/b"]
    assert list(listed.unreachable) == ["hosts/b"]


async def test_priming_reads_what_is_there_before_the_first_decision(memory_bus: MemoryBus) -> None:
    await put(memory_bus, "a")
    view = HostsView(memory_bus)
    await view.prime()
    assert names(view) == ["hosts/a"]
    assert view.live()[0].has_torch


async def test_priming_an_empty_bucket_does_not_wait(memory_bus: MemoryBus) -> None:
    async with asyncio.timeout(2):
        await HostsView(memory_bus).prime()


async def test_a_record_that_cannot_be_read_hides_nobody(memory_bus: MemoryBus, view: HostsView) -> None:
    await memory_bus.publish("$KV.hosts.bad", b"\xff\xff\xff")
    await put(memory_bus, "a")
    await eventually(lambda: names(view) == ["hosts/a"])


async def test_pages_put_together_are_the_list(memory_bus: MemoryBus, view: HostsView) -> None:
    for number in range(5):
        await put(memory_bus, f"h{number}")
    await eventually(lambda: len(view.all()) == 5)
    found, token = [], ""
    while True:
        page = view.list_hosts(2, token)
        found += [host.name for host in page.hosts]
        token = page.next_page_token
        if not token:
            break
    assert found == [f"hosts/h{number}" for number in range(5)]


async def test_page_arguments_are_checked(view: HostsView) -> None:
    with pytest.raises(OutOfRange):
        view.list_hosts(-1, "")
    with pytest.raises(InvalidPageToken):
        view.list_hosts(0, "made up")
