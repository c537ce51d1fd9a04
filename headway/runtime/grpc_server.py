"""A gRPC server as every service of headway runs it: options that work, interceptors, health, reflection, drain."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from headway.contract.errors import ServiceUnavailable
from headway.runtime.interceptors.auth import Access
from headway.runtime.interceptors.calls import CallWrapper
from headway.runtime.interceptors.deadline import UNARY_LIMIT_SECONDS
from headway.runtime.interceptors.in_flight import InFlight
from headway.runtime.logs import get_logger
from headway.runtime.named_handlers import NamedHandlers
from headway.runtime.principal import Authenticator

_log = get_logger(__name__)
_REFUSALS_AT_ONCE = 1024
"""Calls beyond the bound that are told so in words before the library refuses the rest without any."""
Servicer = TypeVar("Servicer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Bounds of a server.

    Attributes:
        max_concurrent_calls: calls in flight, open streams included; more are refused with TOO_MANY_CALLS.
        listening_methods: those that last for as long as the caller likes; together they may take three quarters of it.
        max_message_bytes: of one message, either way; larger content travels in chunks.
        unary_limit_seconds: deadline of unary calls that bring none or a longer one.
        patient_methods: unary methods that take longer deadlines of their callers, up to so many seconds each.
        drain_seconds: how long calls in flight may take to end.
        min_ping_seconds: clients that ping more often are cut off; those of headway ping every 30 s.
        certificate_file: PEM chain; with it and the key the server speaks TLS.
        key_file: PEM private key.
    """

    max_concurrent_calls: int = 1024
    listening_methods: Collection[str] = ()
    max_message_bytes: int = 4 * 1024 * 1024
    unary_limit_seconds: float = UNARY_LIMIT_SECONDS
    patient_methods: Mapping[str, float] = field(default_factory=dict)
    drain_seconds: float = 5.0
    min_ping_seconds: float = 10.0
    certificate_file: Path | None = None
    key_file: Path | None = None


class GrpcServer:
    """One listening server; add servicers, enter it, leave it."""

    def __init__(
        self,
        listen: str,
        *,
        authenticator: Authenticator,
        scopes: Mapping[str, Collection[str]],
        options: ServerOptions | None = None,
    ) -> None:
        """Build it inside the running loop; it listens once entered.

        Args:
            listen: `host:port`; port 0 for any free one.
            authenticator: of callers' keys.
            scopes: those of which each method needs one, by `/package.Service/Method`. A method without any is closed.
            options: bounds.
        """
        self._listen = listen
        self._scopes = scopes
        self._options = options or ServerOptions()
        wrapper = CallWrapper(
            Access(authenticator, scopes),
            InFlight(self._options.max_concurrent_calls, self._options.listening_methods),
            unary_limit_seconds=self._options.unary_limit_seconds,
            patient_methods=self._options.patient_methods,
        )
        # The library's bound is the last resort: its refusal has no reason, and does not say when to come back.
        server = grpc.aio.server(
            options=_channel_arguments(self._options),
            maximum_concurrent_rpcs=_last_resort(self._options),
        )
        self._server = NamedHandlers(server, wrapper.wrap)
        self._health = health.aio.HealthServicer()
        self._services: list[str] = []
        self._port = 0

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before it is entered."""
        return self._port

    @property
    def address(self) -> str:
        """`host:port` as it really listens."""
        return f"{self._listen.rpartition(':')[0]}:{self._port}"

    def add(
        self,
        add_to_server: Callable[[Servicer, grpc.aio.Server], None],
        servicer: Servicer,
        descriptor: ServiceDescriptor,
    ) -> None:
        """Serve one service.

        Args:
            add_to_server: the generated `add_...Servicer_to_server`.
            servicer: its handlers.
            descriptor: of the service, `..._pb2.DESCRIPTOR.services_by_name["..."]`.

        Raises:
            ValueError: a method has no scope; it would be closed to all.
        """
        methods = [f"/{descriptor.full_name}/{method.name}" for method in descriptor.methods]
        unscoped = [method for method in methods if method not in self._scopes]
        if unscoped:
            raise ValueError(f"these methods have no scope: {', '.join(unscoped)}")
        add_to_server(servicer, self._server)
        self._services.append(descriptor.full_name)

    async def set_serving(self, service: str, *, is_serving: bool) -> None:
        """Change what the health check says of one service; "" is the whole server."""
        await self._health.set(service, _SERVING if is_serving else _NOT_SERVING)

    async def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, let those in flight end; cancel what is left after the limit."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._options.drain_seconds)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ServiceUnavailable: the address is taken or not ours.
        """
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflected = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(reflected, self._server)
        self._port = self._bind()
        await self._server.start()
        for service in ("", *self._services):
            await self.set_serving(service, is_serving=True)
        _log.info("listening", address=self.address)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop at once; what should end in order was drained before."""
        await asyncio.shield(self._server.stop(0))

    def _bind(self) -> int:
        try:
            if self._options.certificate_file is not None and self._options.key_file is not None:
                return self._server.add_secure_port(self._listen, _credentials(self._options))
            return self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise ServiceUnavailable(
                f"cannot listen on {self._listen}: the port is taken or the address is not this machine's"
            ) from error


_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def _channel_arguments(options: ServerOptions) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # The default lets two servers listen on one port without a word.
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", options.max_message_bytes),
        # Above the bound of calls: a client over it should hear RESOURCE_EXHAUSTED, not wait in its own queue, and not
        # have a stream reset without a word.
        ("grpc.max_concurrent_streams", _last_resort(options)),
        # With the default of 1000 one connection's rapid resets make the library answer CANCELLED to everybody else.
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 200_000),
        # Between the defaults of 8 and 16 KiB the library refuses by chance; far apart, our own answer comes first.
        ("grpc.max_metadata_size", 32 * 1024),
        ("grpc.absolute_max_metadata_size", 64 * 1024),
        ("grpc.keepalive_permit_without_calls", 1),
        # The often copied name with "recv" in it is ignored without a word.
        ("grpc.http2.min_ping_interval_without_data_ms", int(options.min_ping_seconds * 1000)),
    ]


def _last_resort(options: ServerOptions) -> int:
    return 2 * options.max_concurrent_calls + _REFUSALS_AT_ONCE


def _credentials(options: ServerOptions) -> grpc.ServerCredentials:
    if options.certificate_file is None or options.key_file is None:
        raise ValueError("TLS needs a certificate and a key")
    pair = (options.key_file.read_bytes(), options.certificate_file.read_bytes())
    return grpc.ssl_server_credentials([pair])
