"""A gateway over real gRPC, for what talks to one."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest

from headway.runtime.channel import open_channel
from tests.contract.fake_gateway import FakeGateway, serving_gateway


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
async def channel(gateway: FakeGateway) -> AsyncIterator[grpc.aio.Channel]:
    async with serving_gateway(gateway) as address, open_channel(address, api_key="k") as opened:
        yield opened
