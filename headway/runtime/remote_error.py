"""What a caller gets instead of a bare gRPC error: reason, violations and retry delay, read back from the details."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from datetime import timedelta
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from headway.contract.errors import Code, Violation
from headway.runtime.connect_words import in_plain_words

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
D = TypeVar("D", bound=Message)
STREAM_BROKEN = "STREAM_BROKEN"
"""Reason of a call that broke without a word of the service."""

_STATUS_KEY = "grpc-status-details-bin"
_BROKEN = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED})
_TAIL = re.compile(r"^(?P<message>.*?)(?: \(allowed: (?P<allowed>.*?)\))?(?: \(try: (?P<suggested>.*)\))?$", re.DOTALL)


class RemoteError(Exception):
    """A service refused or failed a call.

    Attributes:
        code: canonical status code.
        reason: UPPER_SNAKE_CASE word; the code's name when the answer did not come from headway.
        message: a sentence for people.
        violations: faults field by field.
        metadata: the dynamic values of the message.
        retry_after: how long to wait before the same call; None where a retry is pointless.
        request_id: finds the call in the service's logs.
    """

    def __init__(
        self,
        code: Code,
        reason: str,
        message: str,
        *,
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        retry_after: timedelta | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(f"{reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.violations = violations
        self.metadata = metadata or {}
        self.retry_after = retry_after
        self.request_id = request_id

    @property
    def is_retryable(self) -> bool:
        """Whether the same call can succeed later: the service said so, or it was not reached."""
        return self.retry_after is not None or self.code is Code.UNAVAILABLE


class ResponseStream(Protocol[R_co]):
    """A call whose responses stream."""

    def __aiter__(self) -> AsyncIterator[R_co]:
        """The responses."""
        ...

    def cancel(self) -> bool:
        """End the call."""
        ...


def from_rpc_error(error: grpc.aio.AioRpcError) -> RemoteError:
    """Read a gRPC error back into reason, violations and delay."""
    status = _status(error)
    info = _detail(status, error_details_pb2.ErrorInfo)
    if info is None and error.code() in _BROKEN:
        # Services of headway say why; without that it is gRPC itself that speaks, as when a server ends a call while
        # the caller still sends, or stops before it has taken the call up. The same call may succeed.
        return RemoteError(Code.UNAVAILABLE, STREAM_BROKEN, error.details() or "the stream broke")
    code = Code(_number(error.code()))
    retry = _detail(status, error_details_pb2.RetryInfo)
    request = _detail(status, error_details_pb2.RequestInfo)
    bad_request = _detail(status, error_details_pb2.BadRequest)
    return RemoteError(
        code,
        info.reason if info is not None else code.name,
        status.message or _own_words(code, error.details() or code.name),
        violations=tuple(_violation(one) for one in bad_request.field_violations) if bad_request else (),
        metadata=dict(info.metadata) if info is not None else {},
        retry_after=retry.retry_delay.ToTimedelta() if retry is not None else None,
        request_id=request.request_id if request is not None else "",
    )


def _own_words(code: Code, details: str) -> str:
    """GRPC's words, where the service said none."""
    return in_plain_words(details) if code is Code.UNAVAILABLE else details


async def answer(call: Awaitable[T]) -> T:
    """The response of a unary (or upload) call.

    Raises:
        RemoteError: the call failed.
    """
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


async def responses(call: ResponseStream[T]) -> AsyncGenerator[T, None]:
    """The responses of a streaming call; leaving the generator ends the call. Close it with `contextlib.aclosing`.

    Raises:
        RemoteError: the call failed.
    """
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    finally:
        call.cancel()


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for name, value in error.trailing_metadata() or ():
        if name == _STATUS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _number(code: grpc.StatusCode) -> int:
    number, _ = code.value
    # UNKNOWN comes from something that is not headway; for the caller it is a defect of the other side.
    return Code.INTERNAL if number == grpc.StatusCode.UNKNOWN.value[0] else int(number)


def _detail(status: status_pb2.Status, kind: type[D]) -> D | None:
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def _violation(one: error_details_pb2.BadRequest.FieldViolation) -> Violation:
    match = _TAIL.match(one.description)
    if match is None:
        return Violation(one.field, one.reason, one.description)
    return Violation(one.field, one.reason, match["message"], match["allowed"] or "", match["suggested"] or "")
