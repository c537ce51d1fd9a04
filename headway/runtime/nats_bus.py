"""The bus on a real nats-server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message as ProtoMessage

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BucketSpec, Storage, StreamSpec
from headway.runtime.bus import Published, StreamState
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.bus_options import BusOptions
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.feeds import Durable, Message, Start
from headway.runtime.jetstream import (
    CONSUMER_NOT_FOUND,
    ConsumerReply,
    JetStreamError,
    Reply,
)
from headway.runtime.logs import get_logger
from headway.runtime.nats_connection import NatsConnection, open_connection
from headway.runtime.nats_feed import FeedPlan, NatsFeed
from headway.runtime.nats_requests import NatsRequests
from headway.runtime.publishing import publish_until_known
from headway.runtime.stream_records import StreamRecords
from headway.runtime.streams import provision_stream

__all__ = ["BusOptions", "NatsBus", "connect"]

_log = get_logger(__name__)
M = TypeVar("M", bound=ProtoMessage)


class NatsBus:
    """See `Bus` for the contract; made by `connect`."""

    def __init__(self, connection: NatsConnection, clock: Clock) -> None:
        self._connection = connection
        self._requests = NatsRequests(connection)
        self._clock = clock
        self._volatile: dict[str, BucketSpec | StreamSpec] = {}
        connection.before_wakes = self._provision_volatile

    @property
    def closed(self) -> asyncio.Event:
        """Set when the connection is gone for good."""
        return self._connection.closed

    @property
    def is_connected(self) -> bool:
        """Whether the server is there right now."""
        return self._connection.is_connected

    async def provision(self, buckets: Sequence[BucketSpec], streams: Sequence[StreamSpec]) -> tuple[str, ...]:
        """Create what is missing and update what differs; idempotent."""
        specs: list[BucketSpec | StreamSpec] = [*buckets, *streams]
        self._volatile |= {spec.stream_name: spec for spec in specs if spec.storage is Storage.MEMORY}
        are_new = await asyncio.gather(*(provision_stream(self._requests, spec) for spec in specs))
        return tuple(spec.stream_name for spec, is_new in zip(specs, are_new, strict=True) if is_new)

    def records(self, bucket: BucketSpec, message_type: type[M]) -> StreamRecords[M]:
        """The entries of a bucket as messages of one type."""
        return StreamRecords(self._requests, bucket, message_type, self._clock)

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
        """Store one message and wait until it is on disk (in memory, for memory streams)."""
        return await publish_until_known(
            self._requests,
            subject,
            data,
            message_id=message_id,
            expect_last=expect_last,
            expect_subject=expect_subject,
            ttl=ttl,
            headers=headers,
        )

    async def last_message(self, stream: StreamSpec | BucketSpec, subject: str) -> Message | None:
        """The newest message of a subject; wildcards allowed."""
        found = await self._requests.last(stream.stream_name, subject)
        if found is None:
            return None
        prefix = stream.prefix if isinstance(stream, BucketSpec) else ""
        return Message(
            subject=found.subject,
            key=found.subject.removeprefix(prefix),
            data=found.data,
            sequence=found.sequence,
            time=found.time,
            headers=found.headers,
            is_deleted=bool(prefix) and found.is_deletion,
        )

    async def stream_state(self, stream: StreamSpec | BucketSpec) -> StreamState:
        """How far the stream is."""
        info = await self._requests.stream_info(stream.stream_name)
        if info is None or info.created is None:
            raise StreamMissing(f"stream {stream.stream_name} does not exist; was the bus provisioned?")
        bound = info.config.get("max_bytes", 0)
        return StreamState(
            info.state.first_seq,
            info.state.last_seq,
            info.state.messages,
            info.created,
            num_bytes=info.state.num_bytes,
            max_bytes=max(0, bound) if isinstance(bound, int) else 0,
        )

    def feed(
        self,
        source: BucketSpec | StreamSpec,
        *,
        subject: str | None = None,
        start: Start = 1,
        durable: Durable | None = None,
        restart_when_replaced: bool = False,
        gather_seconds: float = 0.0,
    ) -> NatsFeed:
        """Follow a stream or bucket."""
        plan = FeedPlan(
            stream=source.stream_name,
            key_prefix=source.prefix if isinstance(source, BucketSpec) else "",
            subject=subject,
            start=start,
            durable=durable,
            restart_when_replaced=restart_when_replaced,
            gather_seconds=gather_seconds,
        )
        return NatsFeed(self._requests, plan, self._clock)

    async def acknowledged(self, stream: StreamSpec | BucketSpec, durable_name: str) -> int:
        """Everything up to this sequence was acknowledged by a durable consumer."""
        try:
            reply = await self._requests.call(f"CONSUMER.INFO.{stream.stream_name}.{durable_name}", None, ConsumerReply)
        except JetStreamError as error:
            if error.err_code != CONSUMER_NOT_FOUND:
                raise
            return 0
        return reply.ack_floor.stream_seq

    async def delete_consumer(self, stream: StreamSpec | BucketSpec, durable_name: str) -> None:
        """Forget a durable consumer; no error when it does not exist."""
        try:
            await self._requests.call(f"CONSUMER.DELETE.{stream.stream_name}.{durable_name}", None, Reply)
        except JetStreamError as error:
            if error.err_code != CONSUMER_NOT_FOUND:
                raise

    async def _provision_volatile(self) -> None:
        """Memory streams vanish with the server: make them again before anybody looks for them."""
        for spec in self._volatile.values():
            try:
                await provision_stream(self._requests, spec)
            except (StoreUnavailable, JetStreamError) as error:
                _log.warning("memory stream not made again", stream=spec.stream_name, why=str(error))


@asynccontextmanager
async def connect(
    url: str, name: str, *, options: BusOptions | None = None, clock: Clock | None = None
) -> AsyncIterator[NatsBus]:
    """A bus for the length of the block.

    Args:
        url: `nats://host:port`, with user and password where the server asks for them.
        name: of the service; shown by the server.
        options: see `BusOptions`.
        clock: for waits between tries.

    Raises:
        StoreUnavailable: the server did not answer in time.
    """
    async with open_connection(url, name, options or BusOptions()) as connection:
        yield NatsBus(connection, clock or SystemClock())
