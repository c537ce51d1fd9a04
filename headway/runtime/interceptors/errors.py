"""The one place where an exception becomes a status on the wire.

A caller never sees the text of an exception that is not a `HeadwayError`: it is logged under the request id instead.
"""

import errno
from dataclasses import dataclass
from datetime import timedelta

import grpc
from google.protobuf.any_pb2 import Any as ProtoAny
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from headway.contract.errors import (
    Code,
    Contention,
    DiskFull,
    HeadwayError,
    InternalError,
)
from headway.runtime.interceptors.metadata import REQUEST_ID
from headway.runtime.logs import get_logger
from headway.runtime.records import Conflict

ERROR_DOMAIN = "headway.dev"

_log = get_logger(__name__)
# Clients may refuse trailers over 8 KiB. The details travel as base64 (a third more); the message travels beside them
# once more, and what is not ASCII takes three times its bytes there.
_MAX_DETAILS_BYTES = 4096
_MAX_MESSAGE_BYTES = 512
_MAX_METADATA_BYTES = 1536
_MAX_VALUE_BYTES = 256
_DEFAULT_RETRY_AFTER = timedelta(seconds=1)


def as_headway_error(error: Exception, method: str, request_id: str) -> HeadwayError:
    """What the caller is told about an exception; anything unforeseen is logged in full and told as INTERNAL."""
    if isinstance(error, HeadwayError):
        return error
    if isinstance(error, Conflict):
        return Contention("The record changed meanwhile; read it and try again.", metadata={"key": error.key})
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        _log.error("disk full", method=method)
        return DiskFull("The disk has no room; nothing was acknowledged.", retry_after=timedelta(seconds=30))
    _log.error("unforeseen error", method=method, exc_info=error)
    return InternalError(f"Internal error; request id {request_id} finds it in the logs.")


def to_status(error: HeadwayError, request_id: str) -> grpc.Status:
    """The status with its details: ErrorInfo always, others where they apply; cut to what trailers can carry."""
    message = _cut(error.message, _MAX_MESSAGE_BYTES)
    details = [_error_info(error), *_other_details(error)]
    details.append(error_details_pb2.RequestInfo(request_id=request_id))
    room = _MAX_DETAILS_BYTES - sum(detail.ByteSize() for detail in details)
    bad_request = _bad_request(error, room)
    if bad_request is not None:
        details.insert(1, bad_request)
    status = status_pb2.Status(code=int(error.code), message=message, details=[_packed(detail) for detail in details])
    told: grpc.Status = rpc_status.to_status(status)
    return _Status(told.code, told.details, (*told.trailing_metadata, (REQUEST_ID, request_id)))


@dataclass(frozen=True, slots=True)
class _Status(grpc.Status):
    """A status with its trailers."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def _error_info(error: HeadwayError) -> Message:
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)
    for name, value in error.metadata.items():
        if info.ByteSize() > _MAX_METADATA_BYTES:
            break
        info.metadata[_cut(name, 64)] = _cut(value, _MAX_VALUE_BYTES)
    return info


def _bad_request(error: HeadwayError, room_bytes: int) -> Message | None:
    """As many violations as fit; the last one says how many do not."""
    if not error.violations:
        return None
    detail = error_details_pb2.BadRequest()
    for number, violation in enumerate(error.violations):
        added = detail.field_violations.add(
            field=_cut(violation.field, _MAX_VALUE_BYTES),
            reason=violation.reason,
            description=_cut(_description(violation.message, violation.allowed, violation.suggested), 512),
        )
        if detail.ByteSize() > room_bytes and number > 0:
            left = len(error.violations) - number
            added.CopyFrom(
                error_details_pb2.BadRequest.FieldViolation(field="", reason="MORE", description=f"and {left} more")
            )
            break
    return detail


def _description(message: str, allowed: str, suggested: str) -> str:
    """One line; `remote_error` takes it apart again."""
    tail = "".join(f" ({label}: {text})" for label, text in (("allowed", allowed), ("try", suggested)) if text)
    return message + tail


def _other_details(error: HeadwayError) -> list[Message]:
    details: list[Message] = []
    retry_after = error.retry_after
    if retry_after is None and error.code is Code.UNAVAILABLE:
        retry_after = _DEFAULT_RETRY_AFTER
    if retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(retry_after)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.code is Code.RESOURCE_EXHAUSTED and "quota" in error.metadata:
        subject = _cut(error.metadata.get("subject", error.metadata["quota"]), _MAX_VALUE_BYTES)
        violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=_cut(error.message, 256))
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    return details


def _packed(detail: Message) -> ProtoAny:
    packed = ProtoAny()
    packed.Pack(detail)
    return packed


def _cut(text: str, limit_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    return encoded[: limit_bytes - 3].decode(errors="ignore") + "..."
