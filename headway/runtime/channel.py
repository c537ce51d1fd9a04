"""A client's channel to a service: keepalive, retries of repeatable calls, key and request id on every call."""

from __future__ import annotations  # the calls of grpc.aio are generic in their stubs only

import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc

from headway.runtime.interceptors.metadata import API_KEY, REQUEST_ID
from headway.runtime.request_context import current_request_id, new_request_id

Request = TypeVar("Request")
Response = TypeVar("Response")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOptions:
    """How to call.

    Attributes:
        max_message_bytes: of one message, either way.
        keepalive_seconds: between pings; servers refuse less than ten seconds.
        retry_tries: of a call that may be repeated, when the service is UNAVAILABLE.
        ca_file: certificate authority; with it the channel speaks TLS.
        reconnect_max_seconds: longest wait before a service that was not there is dialled again.
    """

    max_message_bytes: int = 4 * 1024 * 1024
    keepalive_seconds: float = 30.0
    retry_tries: int = 4
    ca_file: Path | None = None
    reconnect_max_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Repeatable:
    """Methods that may be repeated: reads, and writes that carry a request id.

    Attributes:
        service: full name, `headway.v1.JobService`.
        methods: names; empty for every method of the service.
    """

    service: str
    methods: tuple[str, ...] = field(default=())


def open_channel(
    address: str,
    *,
    api_key: str | None = None,
    repeatable: Sequence[Repeatable] = (),
    options: ChannelOptions | None = None,
) -> grpc.aio.Channel:
    """A channel inside the running loop; use it as a context manager, and one for all stubs.

    Args:
        address: `host:port`.
        api_key: sent with every call; None for services that ask for none.
        repeatable: methods that the library repeats by itself when the service is away.
        options: see `ChannelOptions`.
    """
    chosen = options or ChannelOptions()
    arguments: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", chosen.max_message_bytes),
        ("grpc.max_send_message_length", chosen.max_message_bytes),
        ("grpc.keepalive_time_ms", int(chosen.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", int(chosen.reconnect_max_seconds * 1000)),
        # A connection of its own: else an upload and the log lines beside it would share one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.service_config", service_config(repeatable, chosen.retry_tries)),
    ]
    names = _Names(api_key)
    interceptors: list[grpc.aio.ClientInterceptor] = [
        _UnaryUnary(names),
        _UnaryStream(names),
        _StreamUnary(names),
        _StreamStream(names),
    ]
    if chosen.ca_file is None:
        return grpc.aio.insecure_channel(address, options=arguments, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(chosen.ca_file.read_bytes())
    return grpc.aio.secure_channel(address, credentials, options=arguments, interceptors=interceptors)


def service_config(repeatable: Sequence[Repeatable], tries: int) -> str:
    """The gRPC service config, as JSON: retries on UNAVAILABLE for the named methods and for nothing else."""
    if not repeatable or tries < 2:
        return "{}"
    policy = {
        "maxAttempts": min(tries, 5),  # The library allows no more.
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [
        {"service": one.service, **({"method": method} if method else {})}
        for one in repeatable
        for method in (one.methods or ("",))
    ]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})


class _Names:
    """Adds the key and a request id to a call's metadata."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    def added_to(self, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if metadata.get(REQUEST_ID) is None:
            metadata.add(REQUEST_ID, current_request_id() or new_request_id())
        if self._api_key is not None and metadata.get(API_KEY) is None:
            metadata.add(API_KEY, self._api_key)
        return grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, names: _Names) -> None:
        self._names = names

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, Request], Awaitable[grpc.aio.UnaryUnaryCall[Request, Response]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Request,
    ) -> Response | grpc.aio.UnaryUnaryCall[Request, Response]:
        return await continuation(self._names.added_to(client_call_details), request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, names: _Names) -> None:
        self._names = names

    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, Request], Awaitable[grpc.aio.UnaryStreamCall[Request, Response]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Request,
    ) -> grpc.aio.UnaryStreamCall[Request, Response]:
        return await continuation(self._names.added_to(client_call_details), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, names: _Names) -> None:
        self._names = names

    async def intercept_stream_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, AsyncIterable[Request] | Iterable[Request]],
            Awaitable[grpc.aio.StreamUnaryCall[Request, Response]],
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[Request] | Iterable[Request],
    ) -> grpc.aio.StreamUnaryCall[Request, Response]:
        return await continuation(self._names.added_to(client_call_details), request_iterator)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, names: _Names) -> None:
        self._names = names

    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, AsyncIterable[Request] | Iterable[Request]],
            Awaitable[grpc.aio.StreamStreamCall[Request, Response]],
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[Request] | Iterable[Request],
    ) -> grpc.aio.StreamStreamCall[Request, Response]:
        return await continuation(self._names.added_to(client_call_details), request_iterator)
