"""A gRPC server whose handlers are wrapped once, and found by their names alone.

Generated code adds every method twice: by name, and registered one by one. For registered methods grpc.aio waits on one
task a method, all of them anew for every call; handlers by name it asks for one after the other, a service each; and an
interceptor wraps anew for every call. With the gateway's thirty methods in ten services all that is a tenth of a
CreateJob. Here every method has a place in one table.
"""

from __future__ import annotations  # grpc.RpcMethodHandler is generic in its stubs only

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import Message

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Message, Message]
    Wrap = Callable[[str, Handler], Handler]


class NamedHandlers(grpc.aio.Server):
    """Wraps a server."""

    def __init__(self, server: grpc.aio.Server, wrap: Wrap) -> None:
        """Serve by `server`.

        Args:
            server: without handlers of its own.
            wrap: makes of a method, `/package.Service/Method`, and its handler the handler that is served.
        """
        self._server = server
        self._directory = _Directory(wrap)
        server.add_generic_rpc_handlers((self._directory,))

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Serve these handlers."""
        self._directory.services.extend(generic_rpc_handlers)

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


class _Directory(grpc.GenericRpcHandler):
    """Every method of a server."""

    def __init__(self, wrap: Wrap) -> None:
        self.services: list[grpc.GenericRpcHandler] = []
        self._wrap = wrap
        self._wrapped: dict[str, Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler; None where there is none, which the library answers with UNIMPLEMENTED."""
        wrapped = self._wrapped.get(handler_call_details.method)
        return wrapped or self._find(handler_call_details)

    def _find(self, details: grpc.HandlerCallDetails) -> Handler | None:
        for service in self.services:
            handler = service.service(details)
            if handler is not None:
                # Only what exists is kept: callers may ask for any number of methods that do not.
                return self._wrapped.setdefault(details.method, self._wrap(details.method, handler))
        return None
