"""One gateway for all rows of a file: that it still serves after each of them is part of what is tested."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.nats_bus import connect
from headway.testing.nats import running_nats
from tests.jobs_gateway import Gateway, running_gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway on a real nats-server, with one host up that has no GPU."""
    async with running_nats() as nats, connect(nats.url, "test") as bus:
        await bus.provision(BUCKETS, STREAMS)
        async with running_gateway(tmp_path_factory.mktemp("abuse") / "home", nats, bus) as gateway:
            await gateway.add_host()
            yield gateway
