"""A gRPC server whose handlers are found by their names alone.

Generated code adds every method twice: by name, and registered one by one. For registered methods grpc.aio waits on one
task a method, all of them anew for every call; with the gateway's thirty methods that is a twentieth of a CreateJob.
"""

from collections.abc import Iterable, Mapping

import grpc


class NamedHandlers(grpc.aio.Server):
    """Wraps a server and leaves the registered handlers out."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Serve these handlers."""
        self._server.add_generic_rpc_handlers(generic_rpc_handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, object]) -> None:
        """Nothing: the same handlers come by `add_generic_rpc_handlers`."""

    def add_insecure_port(self, address: str) -> int:
        """Listen without TLS; returns the port."""
        return self._server.add_insecure_port(address)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Listen with TLS; returns the port."""
        return self._server.add_secure_port(address, server_credentials)

    async def start(self) -> None:
        """Take calls."""
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        """Take no more calls, and cancel those in flight after `grace` seconds."""
        await self._server.stop(grace)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the library's name
        """Wait until the server has stopped; returns whether the time ran out first."""
        return await self._server.wait_for_termination(timeout)
