"""What the answer of a receiver means. Pure: status and header in, the fault to raise out."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable

_LATER = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""Said by those who have not taken the message."""

_NEVER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Said of one message, and not of the receiver."""


def fault_of(status: int, retry_after: str, *, now: datetime) -> SinkUnavailable | SinkRefused | SinkShut | None:
    """What to raise; None when the message was taken.

    Args:
        status: of the answer; every 2xx takes the message.
        retry_after: the header of that name; empty where there is none.
        now: for the form of the header that is a date.
    """
    said = f"the receiver answered {status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait_seconds = retry_after_seconds(retry_after, now=now)
        return SinkUnavailable(said, retry_after_seconds=wait_seconds, may_have_arrived=status not in _LATER)
    if status in _NEVER:
        return SinkRefused(said)
    return SinkShut(said, remedy=_remedy(status))


def retry_after_seconds(header: str, *, now: datetime) -> float | None:
    """How long the receiver wants to be left alone: seconds or an HTTP date; None where it says neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _remedy(status: int) -> str:
    if status == HTTPStatus.GONE:
        return "the receiver wants no more messages: remove notifier.webhook.url, or set another one, and start again"
    if status < HTTPStatus.BAD_REQUEST:
        return "the address leads elsewhere, and is not followed there: set notifier.webhook.url to the final address"
    return (
        "the receiver has no such address or does not let us in: check notifier.webhook.url and notifier.webhook.secret"
    )
