"""A real nats-server for one test: free ports, a directory of its own, gone afterwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from headway.runtime.nats_server import NatsServer, NatsServerOptions
from headway.testing.ports import free_port


@asynccontextmanager
async def running_nats(directory: Path | None = None, *, sync_interval: str = "always") -> AsyncIterator[NatsServer]:
    """A server for the length of the block.

    Args:
        directory: for its store; a temporary one when None. The same one again continues the same store.
        sync_interval: `always` as in production; something longer to see a service refuse it.
    """
    with TemporaryDirectory(prefix="headway-nats-") as scratch:
        options = NatsServerOptions(
            directory=directory or Path(scratch),
            port=free_port(),
            monitor_port=free_port(),
            sync_interval=sync_interval,
        )
        async with NatsServer(options) as server:
            yield server
