"""A feed over a real stream: a pull consumer that is opened again, behind the last message, whenever it is lost.

Without a durable the consumer is ephemeral and acknowledges nothing; the feed itself knows its place. A message that
the server sent into a dying connection would be lost on such a consumer: a gap in the consumer's own numbers, or a
reconnection, opens a new one.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from nats.aio.msg import Msg

from headway.contract.errors import StoreUnavailable
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.clock import Clock
from headway.runtime.feeds import FROM_NEW, Durable, Message, Start, StreamReplaced
from headway.runtime.jetstream import ConsumerReply, JetStreamError, Json, Reply, StreamReply, is_deletion
from headway.runtime.logs import get_logger
from headway.runtime.nats_place import read_place
from headway.runtime.nats_puller import ConsumerLost, Puller, PullOptions
from headway.runtime.nats_requests import NatsRequests

_log = get_logger(__name__)
_NANOSECONDS = 1_000_000_000
_INACTIVE_THRESHOLD_SECONDS = 120  # The server forgets an abandoned ephemeral consumer after this.
_WAITS_SECONDS = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
_BEGIN = frozenset({"deliver_policy", "opt_start_seq", "opt_start_time"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlan:
    """What to follow and how; see `Bus.feed`."""

    stream: str
    key_prefix: str
    subject: str | None
    start: Start
    durable: Durable | None
    restart_when_replaced: bool
    gather_seconds: float = 0.0


class NatsFeed:
    """See `Feed` for the contract."""

    def __init__(
        self, requests: NatsRequests, plan: FeedPlan, clock: Clock, options: PullOptions | None = None
    ) -> None:
        self._requests = requests
        self._plan = plan
        self._clock = clock
        self._options = options or PullOptions(gather_seconds=plan.gather_seconds)
        self._puller: Puller | None = None
        self._consumer = ""
        self._created: datetime | None = None
        self._next_sequence: int | None = None
        self._consumer_sequence = 0
        self._pending = 0

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing stored before the latest look waits behind the last message yielded."""
        return self._pending == 0

    async def __aenter__(self) -> Self:
        """Open the consumer."""
        await self._open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the consumer; a durable one keeps its place."""
        await self._close()

    def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, for ever."""
        return self

    async def __anext__(self) -> Message:
        """The next message."""
        while True:
            try:
                message = self._read(await self._live_puller().next())
            except ConsumerLost:
                await self._reopen()
                continue
            if message is not None:
                return message

    async def ack(self, message: Message) -> None:
        """Never deliver it again."""
        await self._answer(message, b"+ACK")

    async def nak(self, message: Message, delay_seconds: float) -> None:
        """Deliver it again after `delay_seconds`."""
        await self._answer(message, b'-NAK {"delay": %d}' % max(1, int(delay_seconds * _NANOSECONDS)))

    async def in_progress(self, message: Message) -> None:
        """Start its ack_wait anew."""
        await self._answer(message, b"+WPI")

    async def term(self, message: Message, reason: str) -> None:
        """Set it aside: never deliver it again, and say why."""
        await self._answer(message, b"+TERM " + reason.encode()[:200])

    async def _answer(self, message: Message, word: bytes) -> None:
        try:
            await self._requests.connection.send(message.reply, word)
        except StoreUnavailable:
            # An acknowledgement is a hint: without it the message comes again, and handlers are idempotent.
            _log.warning("acknowledgement not sent", subject=message.subject, sequence=message.sequence)

    def _live_puller(self) -> Puller:
        if self._puller is None:
            raise ConsumerLost
        return self._puller

    def _read(self, raw: Msg) -> Message | None:
        place = read_place(raw.reply)
        if self._plan.durable is None:
            if self._next_sequence is not None and place.stream_sequence < self._next_sequence:
                return None
            if place.consumer_sequence != self._consumer_sequence + 1:
                raise ConsumerLost
            self._consumer_sequence = place.consumer_sequence
            self._next_sequence = place.stream_sequence + 1
        self._pending = place.pending
        headers = {str(name): value for name, value in raw.headers.items()} if raw.headers else {}
        return Message(
            subject=raw.subject,
            key=raw.subject.removeprefix(self._plan.key_prefix),
            data=raw.data,
            sequence=place.stream_sequence,
            time=place.time,
            headers=headers,
            is_deleted=bool(self._plan.key_prefix) and is_deletion(headers),
            pending=place.pending,
            num_delivered=place.num_delivered,
            reply=raw.reply,
        )

    async def _open(self) -> None:
        info = await self._requests.stream_info(self._plan.stream)
        if info is None or info.created is None:
            raise StreamMissing(f"stream {self._plan.stream} does not exist; was the bus provisioned?")
        self._notice_replacement(info)
        first = self._plan.start
        if self._next_sequence is None and (isinstance(first, int) or first is FROM_NEW):
            self._next_sequence = first if isinstance(first, int) else info.state.last_seq + 1
        reply = await self._create()
        self._consumer = reply.name
        self._consumer_sequence = 0
        self._pending = reply.num_pending
        self._puller = Puller(self._requests.connection, self._plan.stream, self._options, self._clock)
        await self._puller.start(reply.name)

    def _notice_replacement(self, info: StreamReply) -> None:
        is_another = self._created is not None and info.created != self._created
        is_behind = (self._next_sequence or 0) > info.state.last_seq + 1
        self._created = info.created
        if not (is_another or is_behind):
            return
        if not self._plan.restart_when_replaced:
            raise StreamReplaced(self._plan.stream)
        self._next_sequence = 1

    async def _reopen(self) -> None:
        """Open the consumer again, for as long as it takes."""
        await self._close()
        for tried in range(1_000_000_000):
            await self._clock.sleep(_WAITS_SECONDS[min(tried, len(_WAITS_SECONDS) - 1)])
            try:
                await self._open()
            except StreamMissing:
                # A memory stream is gone after a restart of the server until somebody provisions it again.
                if not self._plan.restart_when_replaced and tried > len(_WAITS_SECONDS):
                    raise StreamReplaced(self._plan.stream) from None
            except (StoreUnavailable, JetStreamError, ConsumerLost) as error:
                _log.debug("feed waits", stream=self._plan.stream, why=str(error))
            else:
                return

    async def _close(self) -> None:
        puller, self._puller = self._puller, None
        if puller is None:
            return
        await puller.stop()
        if self._plan.durable is None and self._requests.connection.is_connected:
            try:
                async with asyncio.timeout(1):
                    await self._requests.call(f"CONSUMER.DELETE.{self._plan.stream}.{self._consumer}", None, Reply)
            except (StoreUnavailable, JetStreamError, TimeoutError):
                # The server forgets it by itself after the inactive threshold.
                _log.debug("consumer not deleted", consumer=self._consumer)

    async def _create(self) -> ConsumerReply:
        durable = self._plan.durable
        name = durable.name if durable is not None else f"feed-{secrets.token_hex(8)}"
        request = f"CONSUMER.CREATE.{self._plan.stream}.{name}"
        config: dict[str, Json] = {"num_replicas": 0, "max_deliver": -1, "replay_policy": "instant"}
        if self._plan.subject is not None:
            config["filter_subject"] = self._plan.subject
        config |= self._passing_config() if durable is None else _durable_config(durable)
        try:
            return await self._requests.call(request, self._create_body(config), ConsumerReply)
        except JetStreamError:
            if durable is None:
                raise
        # It was made to begin elsewhere, which the server lets nobody change. By now it has a place of its own.
        info = await self._requests.call(f"CONSUMER.INFO.{self._plan.stream}.{name}", None, ConsumerReply)
        begin = {key: value for key, value in info.config.items() if key in _BEGIN and isinstance(value, (str, int))}
        kept: dict[str, Json] = {key: value for key, value in config.items() if key not in _BEGIN}
        return await self._requests.call(request, self._create_body({**kept, **begin}), ConsumerReply)

    def _create_body(self, config: dict[str, Json]) -> Json:
        return {"stream_name": self._plan.stream, "config": config}

    def _passing_config(self) -> dict[str, Json]:
        """Of a consumer that nobody will look for again."""
        config: dict[str, Json] = {"ack_policy": "none", "mem_storage": True}
        config["inactive_threshold"] = _INACTIVE_THRESHOLD_SECONDS * _NANOSECONDS
        start = self._plan.start
        if self._next_sequence is not None:
            return config | {"deliver_policy": "by_start_sequence", "opt_start_seq": max(1, self._next_sequence)}
        if isinstance(start, datetime):
            return config | _from_time(start)
        # The server wants this policy to come with a filter.
        return config | {"deliver_policy": "last_per_subject", "filter_subject": self._plan.subject or ">"}


def _durable_config(durable: Durable) -> dict[str, Json]:
    config: dict[str, Json] = {
        "durable_name": durable.name,
        "ack_policy": "explicit",
        "ack_wait": int(durable.ack_wait_seconds * _NANOSECONDS),
        "max_ack_pending": durable.max_ack_pending,
    }
    if durable.start_time is not None:
        return config | _from_time(durable.start_time)
    if durable.from_new:
        return config | {"deliver_policy": "new"}
    if durable.start_sequence > 1:
        return config | {"deliver_policy": "by_start_sequence", "opt_start_seq": durable.start_sequence}
    return config | {"deliver_policy": "all"}


def _from_time(start: datetime) -> dict[str, Json]:
    return {"deliver_policy": "by_start_time", "opt_start_time": start.astimezone(UTC).isoformat()}
