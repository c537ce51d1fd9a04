"""What a service may ask of JetStream: records, publishing, feeds. Implemented by `nats_bus` and by a double.

The double is `headway.testing.memory_bus`; one contract suite runs against both.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from google.protobuf.message import Message as ProtoMessage

from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.feeds import Durable, Feed, Message, Start
from headway.runtime.records import Records

M = TypeVar("M", bound=ProtoMessage)


@dataclass(frozen=True, slots=True)
class Published:
    """The server's acknowledgement of a message.

    Attributes:
        sequence: its place in the stream; of the first one when it is a duplicate.
        is_duplicate: whether a message of the same id was stored before.
    """

    sequence: int
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far a stream is.

    Attributes:
        first_sequence: of the oldest message kept; last_sequence + 1 when empty.
        last_sequence: of the newest message ever stored; 0 when there was none.
        num_messages: messages kept.
        created: when the stream was made; another time means another stream.
        num_bytes: what the messages kept take, as the server counts it.
        max_bytes: bound of that, beyond which a bucket refuses writes; 0 when there is none.
    """

    first_sequence: int
    last_sequence: int
    num_messages: int
    created: datetime
    num_bytes: int = 0
    max_bytes: int = 0


class Bus(Protocol):
    """One connection to JetStream."""

    @property
    def closed(self) -> asyncio.Event:
        """Set when the connection is gone for good; the service must exit and be started anew."""
        ...

    async def provision(self, buckets: Sequence[BucketSpec], streams: Sequence[StreamSpec]) -> tuple[str, ...]:
        """Create what is missing and update what differs; idempotent.

        Memory streams named here are created again after a restart of the server.

        Returns:
            The names of the streams that were created by this call.
        """
        ...

    def records(self, bucket: BucketSpec, message_type: type[M]) -> Records[M]:
        """The entries of a bucket as messages of one type."""
        ...

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str | None = None,
        expect_last: int | None = None,
        expect_subject: str | None = None,
        ttl: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Published:
        """Store one message and wait until it is on disk (in memory, for memory streams).

        Args:
            subject: of a provisioned stream.
            data: the body.
            message_id: a second message with this id within the stream's window is not stored.
            expect_last: sequence that the subject's newest message must have; 0 for none.
            expect_subject: pattern of subjects whose newest message `expect_last` is about; None for `subject` alone.
            ttl: the message is dropped after this; whole seconds, at least one.
            headers: further headers.

        Raises:
            StoreUnavailable: no answer; with `message_id` or `expect_last` it was tried again, and repeating is safe.
            SequenceConflict: `expect_last` does not hold; nothing was stored.
            MessageTooLarge: over the bound; nothing was sent.
        """
        ...

    async def last_message(self, stream: StreamSpec | BucketSpec, subject: str) -> Message | None:
        """The newest message of a subject; wildcards allowed. None when there is none."""
        ...

    async def stream_state(self, stream: StreamSpec | BucketSpec) -> StreamState:
        """How far the stream is.

        Raises:
            StreamMissing: it does not exist.
        """
        ...

    def feed(
        self,
        source: BucketSpec | StreamSpec,
        *,
        subject: str | None = None,
        start: Start = 1,
        durable: Durable | None = None,
        restart_when_replaced: bool = False,
        gather_seconds: float = 0.0,
    ) -> Feed:
        """Follow a stream or bucket.

        Args:
            source: what to follow.
            subject: pattern within it; None for everything.
            start: sequence of the first message wanted, FROM_NEW, LAST_PER_SUBJECT, or a time: what was stored then or
                later; not used by durables.
            durable: a named consumer that remembers its place and wants every message acknowledged. One that exists
                goes on where it is, however it is asked to begin.
            restart_when_replaced: begin again when the stream was re-created, as memory streams are.
            gather_seconds: for followers of busy streams: the first message after a silence comes at once, those behind
                it in bundles this far apart, at a fraction of the cost. 0 brings each message as soon as it can.
        """
        ...

    async def acknowledged(self, stream: StreamSpec | BucketSpec, durable_name: str) -> int:
        """Everything up to this sequence was acknowledged by a durable consumer; 0 when there is none of this name."""
        ...

    async def delete_consumer(self, stream: StreamSpec | BucketSpec, durable_name: str) -> None:
        """Forget a durable consumer; no error when it does not exist."""
        ...
