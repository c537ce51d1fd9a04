"""Fixtures for everybody: a clock, a bus, a nats-server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.bus import Bus
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.testing.nats import running_nats


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still until the test moves it."""
    return ManualClock()


@pytest.fixture
async def memory_bus() -> MemoryBus:
    """A provisioned bus without a server, in real time."""
    bus = MemoryBus()
    await bus.provision(BUCKETS, STREAMS)
    return bus


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A real nats-server with a store of its own."""
    async with running_nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def nats_bus(nats_server: NatsServer) -> AsyncIterator[NatsBus]:
    """A provisioned bus on a real nats-server."""
    async with connect(nats_server.url, "test", options=BusOptions(request_timeout_seconds=3.0)) as bus:
        await bus.provision(BUCKETS, STREAMS)
        yield bus


@pytest.fixture(params=["memory", "nats"])
def bus(request: pytest.FixtureRequest) -> Bus:
    """Both implementations, one after the other."""
    found: Bus = request.getfixturevalue(f"{request.param}_bus")
    return found
