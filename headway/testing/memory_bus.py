"""The bus without a server: the same contract, in one process, on any clock.

Only the server is doubled: records and publishing run the code that runs in production. Beyond the contract it can be
away, lose an answer, and lose a stream, so that tests need no server for that.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message as ProtoMessage

from headway.contract.subjects import BucketSpec, StreamSpec
from headway.runtime.bus import Published, StreamState
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.feeds import Durable, Message, Start
from headway.runtime.jetstream import is_deletion
from headway.runtime.publishing import publish_until_known
from headway.runtime.stream_records import StreamRecords
from headway.testing.memory_feed import MemoryFeed, MemoryFeedPlan
from headway.testing.memory_server import MemoryServer

M = TypeVar("M", bound=ProtoMessage)


class MemoryBus:
    """See `Bus` for the contract."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.closed = asyncio.Event()
        self._clock = clock or SystemClock()
        self._server = MemoryServer(self._clock)

    async def provision(self, buckets: Sequence[BucketSpec], streams: Sequence[StreamSpec]) -> tuple[str, ...]:
        """Create what is missing; idempotent."""
        self._server.check_there()
        specs: list[BucketSpec | StreamSpec] = [*buckets, *streams]
        missing = [spec for spec in specs if spec.stream_name not in self._server.streams]
        for spec in missing:
            self._server.create(spec)
        return tuple(spec.stream_name for spec in missing)

    def records(self, bucket: BucketSpec, message_type: type[M]) -> StreamRecords[M]:
        """The entries of a bucket as messages of one type."""
        return StreamRecords(self._server, bucket, message_type, self._clock)

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
        """Store one message."""
        return await publish_until_known(
            self._server,
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
        found = await self._server.last(stream.stream_name, subject)
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
            is_deleted=bool(prefix) and is_deletion(found.headers),
        )

    async def stream_state(self, stream: StreamSpec | BucketSpec) -> StreamState:
        """How far the stream is."""
        return self._server.stream(stream.stream_name).state()

    def feed(
        self,
        source: BucketSpec | StreamSpec,
        *,
        subject: str | None = None,
        start: Start = 1,
        durable: Durable | None = None,
        restart_when_replaced: bool = False,
        gather_seconds: float = 0.0,  # noqa: ARG002 - reading from memory costs nothing that bundles could save
    ) -> MemoryFeed:
        """Follow a stream or bucket."""
        plan = MemoryFeedPlan(
            subject=subject, start=start, durable=durable, restart_when_replaced=restart_when_replaced
        )

        return MemoryFeed(self._server, source.stream_name, plan, self._clock)

    async def acknowledged(self, stream: StreamSpec | BucketSpec, durable_name: str) -> int:
        """Everything up to this sequence was acknowledged by a durable consumer."""
        state = self._server.stream(stream.stream_name).durables.get(durable_name)
        return 0 if state is None else min(state.pending, default=state.delivered + 1) - 1

    async def delete_consumer(self, stream: StreamSpec | BucketSpec, durable_name: str) -> None:
        """Forget a durable consumer; no error when it does not exist."""
        self._server.stream(stream.stream_name).durables.pop(durable_name, None)

    def go_away(self) -> None:
        """Answer nothing: every request raises StoreUnavailable until `come_back`. Feeds wait."""
        self._server.is_away = True

    def come_back(self) -> None:
        """Answer again; nothing was lost."""
        self._server.is_away = False
        for stream in self._server.streams.values():
            stream.wake()

    def lose_answers(self, number: int = 1) -> None:
        """Store the next publishes and record writes, but lose the answers to them."""
        self._server.answers_to_lose = number

    def replace(self, spec: BucketSpec | StreamSpec) -> None:
        """Lose a stream and make it anew, empty; feeds raise StreamReplaced or start over."""
        self._server.create(spec)
