"""A trainer host that has joined, between two doubles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.testing.ports import free_port
from tests.contract.fake_gateway import FakeGateway
from tests.contract.fake_scheduler import FakeScheduler, serving_scheduler
from tests.contract.host_process import HostProcess, running_host
from tests.contract.host_steps import joined


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def gateway_port() -> int:
    return free_port()


@pytest.fixture
async def host(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> AsyncIterator[HostProcess]:
    """A host that has joined; only the scheduler serves."""
    async with serving_scheduler(scheduler) as address:
        with running_host(tmp_path / "home", address, f"127.0.0.1:{gateway_port}") as process:
            await joined(scheduler)
            yield process
