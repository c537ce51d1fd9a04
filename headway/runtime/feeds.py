"""Feeds: every message of a stream or bucket, in order, from a place that the follower names.

A feed survives restarts of the server: it notices at once, opens its consumer anew behind the last message that it
yielded, and goes on. Durable feeds are the exception to "once": what is not acknowledged comes again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Protocol, Self

from headway.runtime.logs import get_logger

_log = get_logger(__name__)
_MAX_REDELIVERY_DELAY_SECONDS = 30.0


class StreamReplaced(Exception):
    """The stream was deleted or made anew: sequences of the old one mean nothing. The follower must start over."""


class PoisonMessage(Exception):
    """A handler will never be able to use this message; it is set aside and not delivered again."""


class Begin(Enum):
    """Places to start from that are not a sequence."""

    NEW = "new"
    LAST_PER_SUBJECT = "last_per_subject"


FROM_NEW = Begin.NEW
LAST_PER_SUBJECT = Begin.LAST_PER_SUBJECT
Start = int | Begin | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable:
    """A consumer that remembers its place in the server.

    Attributes:
        name: unique in the stream; processes that share it share the messages.
        ack_wait_seconds: an unacknowledged message comes again after this.
        max_ack_pending: messages out and not acknowledged, over all processes.
        from_new: start with what comes after the consumer was made, instead of everything kept.
        start_sequence: of the first message wanted, when the consumer is made; not used with `from_new`.
        start_time: start with what was stored then or later, when the consumer is made; goes before the other two.
    """

    name: str
    ack_wait_seconds: float = 30.0
    max_ack_pending: int = 256
    from_new: bool = False
    start_sequence: int = 1
    start_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One stored message.

    Attributes:
        subject: as published.
        key: the record's key when it comes from a bucket; else the subject.
        data: the body; empty for a deletion.
        sequence: its place in the stream; a record's revision.
        time: when it was stored, by the server's clock.
        headers: as published.
        is_deleted: the record was deleted or has expired.
        pending: messages that were waiting behind this one; 0 = caught up.
        num_delivered: how often this consumer was given it; 1 the first time.
        reply: where the acknowledgement goes; the feed's own business.
    """

    subject: str
    key: str
    data: bytes
    sequence: int
    time: datetime
    headers: Mapping[str, str]
    is_deleted: bool = False
    pending: int = 0
    num_delivered: int = 1
    reply: str = ""


class Feed(Protocol):
    """A follower of one stream. Enter it, iterate over it, leave it; one iterator at a time.

    Iterating raises StreamReplaced when the stream was made anew (unless told to start over), and waits, without an
    end, while the server is away.
    """

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing stored before the latest look waits behind the last message yielded."""
        ...

    async def __aenter__(self) -> Self:
        """Open the consumer.

        Raises:
            StreamMissing: the stream does not exist.
            StoreUnavailable: the server does not answer.
        """
        ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the consumer; a durable one keeps its place."""
        ...

    def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, for ever."""
        ...

    async def ack(self, message: Message) -> None:
        """Never deliver it again. Durable feeds only, as the three below."""
        ...

    async def nak(self, message: Message, delay_seconds: float) -> None:
        """Deliver it again after `delay_seconds`."""
        ...

    async def in_progress(self, message: Message) -> None:
        """Start its ack_wait anew."""
        ...

    async def term(self, message: Message, reason: str) -> None:
        """Set it aside: never deliver it again, and say why."""
        ...


def redelivery_delay_seconds(num_delivered: int) -> float:
    """How long to wait before a failed message comes again: 0.5, 1, 2, 4 ... 30 seconds."""
    return float(min(_MAX_REDELIVERY_DELAY_SECONDS, 0.5 * 2.0 ** min(num_delivered - 1, 16)))


async def stored(feed: Feed) -> AsyncIterator[Message]:
    """What was stored when an open feed began, and then the end.

    Of a feed that starts with LAST_PER_SUBJECT that is the newest message of each subject. What is written meanwhile
    may come too, behind what it replaces.
    """
    if feed.is_caught_up:
        return
    async for message in feed:
        yield message
        if message.pending == 0:
            return


async def handle_each(feed: Feed, handle: Callable[[Message], Awaitable[None]]) -> None:
    """Give each message of a durable feed to `handle`, for ever; one bad message never stops the rest.

    A return acknowledges. PoisonMessage sets the message aside. Any other exception is logged and the message comes
    again after a growing delay.
    """
    async for message in feed:
        try:
            await handle(message)
        except PoisonMessage as error:
            _log.error("message set aside", subject=message.subject, sequence=message.sequence, why=str(error))
            await feed.term(message, str(error))
        except Exception:  # noqa: BLE001 - one bad message must not stop the rest
            delay = redelivery_delay_seconds(message.num_delivered)
            _log.exception("message failed", subject=message.subject, sequence=message.sequence, retry_seconds=delay)
            await feed.nak(message, delay)
        else:
            await feed.ack(message)
