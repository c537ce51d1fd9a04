"""The JSON messages of the JetStream API that headway speaks, and only those.

Raw requests instead of nats-py's layer: that layer mutates headers, mistakes expiry markers for values, and has no
fields for some options.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014
MESSAGE_NOT_FOUND = 10037
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
STREAM_NAME_IN_USE = 10058
MESSAGE_OVER_MAXIMUM = 10054
NO_ROOM = frozenset({10023, 10028, 10047, 10077})
"""Resources exceeded, memory exceeded, storage exceeded, store failed (such as over max_bytes)."""

EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_LAST_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
MESSAGE_ID = "Nats-Msg-Id"
TIME_TO_LIVE = "Nats-TTL"
MARKER_REASON = "Nats-Marker-Reason"
OPERATION = "KV-Operation"


class JetStreamError(Exception):
    """JetStream refused a request.

    Attributes:
        code: HTTP-like class of the error.
        err_code: what exactly; see the constants of this module.
    """

    def __init__(self, request: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{request}: {description} ({err_code})")
        self.code = code
        self.err_code = err_code


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ApiError(_Part):
    """Why a request was refused."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Reply(_Part):
    """What every answer may hold."""

    error: ApiError | None = None


class PublishReply(Reply):
    """The acknowledgement of a message."""

    seq: int = 0
    duplicate: bool = False


class RawMessage(_Part):
    """One stored message."""

    subject: str
    seq: int
    data: Base64Bytes = b""
    hdrs: Base64Bytes = b""
    time: datetime


class MessageReply(Reply):
    """Answer to STREAM.MSG.GET."""

    message: RawMessage | None = None


class StreamCounts(_Part):
    """How far a stream is."""

    messages: int = 0
    num_bytes: int = Field(default=0, alias="bytes")
    first_seq: int = 0
    last_seq: int = 0


class StreamReply(Reply):
    """Answer to STREAM.INFO, CREATE and UPDATE."""

    config: Mapping[str, object] = Field(default_factory=dict)
    created: datetime | None = None
    state: StreamCounts = StreamCounts()


class AckFloor(_Part):
    """Up to where a consumer has acknowledged everything."""

    stream_seq: int = 0


class ConsumerReply(Reply):
    """Answer to CONSUMER.CREATE and INFO."""

    name: str = ""
    num_pending: int = 0
    ack_floor: AckFloor = AckFloor()
    config: Mapping[str, object] = Field(default_factory=dict)


def parse_headers(raw: bytes) -> dict[str, str]:
    """The headers of a stored message, from the bytes between `NATS/1.0` and the empty line."""
    lines = raw.decode("utf-8", "replace").split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def is_deletion(headers: Mapping[str, str]) -> bool:
    """Whether a bucket's message says that the key is gone: deleted, purged or expired."""
    return bool(headers) and (headers.get(OPERATION) in {"DEL", "PURGE"} or MARKER_REASON in headers)
