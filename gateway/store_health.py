"""Says in the health check whether the store is there; the gateway itself serves either way."""

import asyncio

from gateway.store_watch import StoreWatch
from headway.runtime.grpc_server import GrpcServer

HEALTH_NAME = "headway.store"
"""What to ask the standard health service for: NOT_SERVING while the store is lost and writes are refused."""


async def tell_health(server: GrpcServer, watch: StoreWatch) -> None:
    """Keep the answer true, for ever. A loop of the service."""
    await server.set_serving(HEALTH_NAME, is_serving=not watch.is_lost)
    await watch.lost.wait()
    await server.set_serving(HEALTH_NAME, is_serving=False)
    await asyncio.Event().wait()
