"""Publishing that is safe to repeat, and repeated when an answer is lost."""

from collections.abc import Mapping
from datetime import timedelta

from headway.runtime.bus import Published
from headway.runtime.bus_errors import OutcomeUnknown
from headway.runtime.jetstream import EXPECTED_LAST_SEQUENCE, EXPECTED_LAST_SUBJECT, MESSAGE_ID
from headway.runtime.requests import Requests

_MAX_SENDS = 3


async def publish_until_known(  # noqa: PLR0913 - those of `Bus.publish`
    requests: Requests,
    subject: str,
    data: bytes,
    *,
    message_id: str | None,
    expect_last: int | None,
    expect_subject: str | None,
    ttl: timedelta | None,
    headers: Mapping[str, str] | None,
) -> Published:
    """Store one message; see `Bus.publish`. With a message id the server drops the repetitions."""
    named = dict(headers or {})
    if message_id is not None:
        named[MESSAGE_ID] = message_id
    if expect_last is not None:
        named[EXPECTED_LAST_SEQUENCE] = str(expect_last)
    if expect_subject is not None:
        named[EXPECTED_LAST_SUBJECT] = expect_subject
    for _ in range(_MAX_SENDS - 1 if message_id is not None else 0):
        try:
            return await requests.publish(subject, data, ttl=ttl, headers=named)
        except OutcomeUnknown:
            continue
    return await requests.publish(subject, data, ttl=ttl, headers=named)
