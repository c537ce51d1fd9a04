"""Puts the concerns around every call, in order: request id, access log, errors, deadline, auth, field behavior.

They are functions called from one wrapper that is made once a method, not a chain of interceptors: grpc.aio would build
every wrapper of a chain anew for each call. A handler of a response stream may be an async generator or a coroutine
that writes; it is always run as a coroutine, because grpc.aio does not close a generator whose call is cancelled during
a write.
"""

from __future__ import annotations  # grpc.RpcMethodHandler is generic in its stubs only

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Never

import grpc
from google.protobuf.message import Message

from headway.runtime.interceptors import access_log, request_id
from headway.runtime.interceptors.auth import Access
from headway.runtime.interceptors.deadline import UNARY_LIMIT_SECONDS, limited
from headway.runtime.interceptors.errors import as_headway_error, to_status
from headway.runtime.interceptors.field_behavior import check_fields
from headway.runtime.interceptors.in_flight import InFlight
from headway.runtime.interceptors.malformed import marking, refuse_malformed
from headway.runtime.interceptors.metadata import REQUEST_ID, Metadata

if TYPE_CHECKING:
    from headway.runtime.named_handlers import Handler

Context = grpc.aio.ServicerContext[Message, Message]
Input = Message | AsyncIterable[Message]
Behavior = Callable[[Input, Context], Awaitable[object]]
Generating = Callable[[Input, Context], AsyncGenerator[Message, None]]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call on its way."""

    method: str
    behavior: Behavior
    metadata: Metadata | None
    is_unary: bool
    started_seconds: float
    request_id: str


class CallWrapper:
    """Wraps the handlers of a server, of all four kinds."""

    def __init__(
        self,
        access: Access,
        in_flight: InFlight,
        *,
        unary_limit_seconds: float = UNARY_LIMIT_SECONDS,
        patient_methods: Mapping[str, float] | None = None,
    ) -> None:
        """Say who may call what, how many at a time, and how long a unary call may take.

        Args:
            access: of callers.
            in_flight: counts calls.
            unary_limit_seconds: deadline of unary calls that bring none or a longer one.
            patient_methods: unary methods that take a longer deadline of their caller, up to so many seconds.
        """
        self._patient_methods = dict(patient_methods or {})
        self._access = access
        self._in_flight = in_flight
        self._unary_limit_seconds = unary_limit_seconds

    def wrap(self, method: str, handler: Handler) -> Handler:
        """The handler of `method`, with the concerns around it."""
        parse, write = marking(handler.request_deserializer), handler.response_serializer
        if handler.request_streaming:
            if handler.response_streaming:
                run = self._wrap(method, _as_coroutine(_behavior(handler, "stream_stream")))
                return grpc.stream_stream_rpc_method_handler(run, parse, write)
            run = self._wrap(method, _behavior(handler, "stream_unary"))
            return grpc.stream_unary_rpc_method_handler(run, parse, write)
        if handler.response_streaming:
            run = self._wrap(method, _as_coroutine(_behavior(handler, "unary_stream")))
            return grpc.unary_stream_rpc_method_handler(run, parse, write)
        run = self._wrap(method, _behavior(handler, "unary_unary"), is_unary=True)
        return grpc.unary_unary_rpc_method_handler(run, parse, write)

    def _wrap(self, method: str, behavior: Behavior, *, is_unary: bool = False) -> Behavior:
        async def run(given: Input, context: Context) -> object:
            metadata = context.invocation_metadata()
            chosen = request_id.begin(metadata)
            context.set_trailing_metadata(((REQUEST_ID, chosen),))
            call = _Call(method, behavior, metadata, is_unary, time.perf_counter(), chosen)
            try:
                work = self._admit_and_run(call, given, context)
                if is_unary:
                    remaining = context.time_remaining()
                    work = limited(work, remaining, self._limit_seconds(method, remaining))
                response = await work
            except asyncio.CancelledError:
                access_log.log_cancelled(method, call.started_seconds)
                raise
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the one place where all of them are mapped
                await _fail(call, error, context)
            access_log.log_call(method, None, "", call.started_seconds, is_unary=is_unary)
            return response

        return run

    def _limit_seconds(self, method: str, remaining_seconds: float | None) -> float:
        """A caller who says how long it waits may wait longer; one who does not may have been forgotten."""
        longest = self._unary_limit_seconds if remaining_seconds is None else self._patient_methods.get(method, 0.0)
        return max(longest, self._unary_limit_seconds)

    async def _admit_and_run(self, call: _Call, given: Input, context: Context) -> object:
        if self._access.is_exempt(call.method):
            # A service that is busy is not a dead one: health checks are answered whatever is in flight.
            return await self._run(call, given, context, is_exempt=True)
        with self._in_flight.counted(call.method):
            await self._access.admit(call.method, call.metadata)
            return await self._run(call, given, context, is_exempt=False)

    @staticmethod
    async def _run(call: _Call, given: Input, context: Context, *, is_exempt: bool) -> object:
        if isinstance(given, Message):
            _check(given, is_exempt=is_exempt)
            return await call.behavior(given, context)
        async with aclosing(_checked(given, is_exempt=is_exempt)) as requests:
            return await call.behavior(requests, context)


def _behavior(handler: object, kind: str) -> Behavior:
    # By name, because the stubs know these attributes only as synchronous functions.
    behavior: Behavior = getattr(handler, kind)
    return behavior


def _as_coroutine(behavior: Behavior) -> Behavior:
    if not inspect.isasyncgenfunction(behavior):
        return behavior
    generate: Generating = behavior

    async def write_all(given: Input, context: Context) -> None:
        async with aclosing(generate(given, context)) as responses:
            async for response in responses:
                await context.write(response)

    return write_all


async def _checked(requests: AsyncIterable[Message], *, is_exempt: bool) -> AsyncGenerator[Message, None]:
    async for request in requests:
        _check(request, is_exempt=is_exempt)
        yield request


def _check(request: Message, *, is_exempt: bool) -> None:
    refuse_malformed()
    if not is_exempt:
        check_fields(request)


async def _fail(call: _Call, error: Exception, context: Context) -> Never:
    told = as_headway_error(error, call.method.lstrip("/"), call.request_id)
    access_log.log_call(call.method, told.code, told.reason, call.started_seconds, is_unary=call.is_unary)
    await context.abort_with_status(to_status(told, call.request_id))
