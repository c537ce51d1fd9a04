"""Moments and spans between Python and protobuf; UTC everywhere."""

from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime) -> Timestamp:
    """A moment as protobuf says it."""
    # In whole numbers, and without the detours of FromDatetime: every submission asks for several.
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def moment(message: Timestamp) -> datetime:
    """A protobuf timestamp as an aware datetime in UTC."""
    return message.ToDatetime(tzinfo=UTC)


def duration(span: timedelta) -> Duration:
    """A span as protobuf says it."""
    message = Duration()
    message.FromTimedelta(span)
    return message


def rfc3339(moment_: datetime) -> str:
    """A moment as RFC 3339 text with milliseconds, as events carry it."""
    return moment_.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
