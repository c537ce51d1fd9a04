"""JetStream requests over one connection: publish, read the newest message, call the API."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Never, TypeVar

from headway.contract.errors import DiskFull
from headway.runtime.bus import Published
from headway.runtime.bus_errors import MessageTooLarge, SequenceConflict, StreamMissing
from headway.runtime.jetstream import (
    MESSAGE_NOT_FOUND,
    MESSAGE_OVER_MAXIMUM,
    NO_ROOM,
    STREAM_NOT_FOUND,
    TIME_TO_LIVE,
    WRONG_LAST_SEQUENCE,
    ApiError,
    JetStreamError,
    Json,
    MessageReply,
    PublishReply,
    Reply,
    StreamReply,
    parse_headers,
)
from headway.runtime.nats_connection import NatsConnection
from headway.runtime.requests import RawStored, whole_seconds

R = TypeVar("R", bound=Reply)


class NatsRequests:
    """What JetStream is asked, in its own words."""

    def __init__(self, connection: NatsConnection) -> None:
        self.connection = connection

    async def publish(
        self, subject: str, data: bytes, *, ttl: timedelta | None = None, headers: Mapping[str, str] | None = None
    ) -> Published:
        """Store one message; see `Requests`.

        Raises:
            JetStreamError: refused for a reason that `Requests` does not name.
        """
        if ttl is not None:
            headers = {**(headers or {}), TIME_TO_LIVE: f"{whole_seconds(ttl)}s"}
        answer = await self.connection.request(subject, data, headers)
        reply = PublishReply.model_validate_json(answer.data)
        if reply.error is not None:
            _raise_refusal(subject, reply.error)
        return Published(reply.seq, reply.duplicate)

    async def last(self, stream: str, subject: str) -> RawStored | None:
        """The newest message of a subject (wildcards allowed), from the stream's leader; None when there is none.

        Raises:
            StreamMissing: no such stream.
        """
        try:
            reply = await self.call(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}, MessageReply)
        except JetStreamError as error:
            if error.err_code == MESSAGE_NOT_FOUND:
                return None
            raise
        found = reply.message
        if found is None:
            return None
        headers = parse_headers(found.hdrs) if found.hdrs else {}
        return RawStored(found.subject, found.data, found.seq, found.time, headers)

    async def stream_info(self, stream: str) -> StreamReply | None:
        """Configuration and state; None when there is no such stream."""
        try:
            return await self.call(f"STREAM.INFO.{stream}", None, StreamReply)
        except StreamMissing:
            return None

    async def call(self, request: str, body: Json, reply_type: type[R]) -> R:
        """One request of the JetStream API.

        Raises:
            StreamMissing: no such stream, or JetStream is not up.
            JetStreamError: refused otherwise.
        """
        payload = b"" if body is None else json.dumps(body).encode()
        answer = await self.connection.request(f"{self.connection.api}.{request}", payload)
        reply = reply_type.model_validate_json(answer.data)
        if reply.error is None:
            return reply
        if reply.error.err_code == STREAM_NOT_FOUND:
            raise StreamMissing(f"{request}: {reply.error.description}")
        raise JetStreamError(request, **reply.error.model_dump())


def _raise_refusal(subject: str, error: ApiError) -> Never:
    if error.err_code in WRONG_LAST_SEQUENCE:
        raise SequenceConflict(subject)
    if error.err_code in NO_ROOM:
        raise DiskFull("The store has no room; nothing was written.", retry_after=timedelta(seconds=30))
    if error.err_code == MESSAGE_OVER_MAXIMUM:
        raise MessageTooLarge(f"a message on {subject} is over the bound of its stream")
    raise JetStreamError(f"publish {subject}", **error.model_dump())
