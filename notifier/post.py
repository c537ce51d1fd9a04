"""One post for each sink: a consumer, a record of what was told, and two loops of its own.

So the outage of one sink holds up no other one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import Durable, Feed
from headway.v1.records_pb2 import NotifierRecord
from notifier.backlog import Backlog
from notifier.delivery import Delivery
from notifier.ledger import Ledger, open_ledger
from notifier.outlet import Outlet
from notifier.reception import Reception

MAX_WAITING = 5000
"""Events that one post holds and has not told; enough to see the ends of a thousand jobs behind an outage."""

_ACK_WAIT_SECONDS = 30.0
"""An event that the server gave to a connection that died comes again after this; far below the time after which a
skipped event counts as deleted (see `places`)."""


@dataclass(frozen=True, slots=True)
class Post:
    """The parts that run.

    Attributes:
        ledger: what was told.
        reception: its `run` is a loop of the service.
        delivery: its `run` is another, its `finish` belongs to the end of the service.
    """

    ledger: Ledger
    reception: Reception
    delivery: Delivery


def consumer_name(sink: str) -> str:
    """What the server calls the consumer of a sink."""
    return f"notifier-{sink}"


@asynccontextmanager
async def open_post(bus: Bus, outlet: Outlet, clock: Clock) -> AsyncIterator[Post]:
    """The way from the stream to one sink, for the length of the block.

    Raises:
        StreamMissing: the stream EVENTS does not exist.
        StoreUnavailable: the server does not answer.
    """
    ledger = await open_ledger(bus, bus.records(NOTIFIER, NotifierRecord), outlet.sink.name, clock)
    backlog = Backlog()
    async with await open_feed(bus, ledger, outlet.sink.name) as feed:
        reception = Reception(feed, ledger, backlog, outlet.sink.wants, clock)
        yield Post(ledger, reception, Delivery(feed, ledger, backlog, outlet, clock))


async def open_feed(bus: Bus, ledger: Ledger, sink: str) -> Feed:
    """The durable consumer of EVENTS, placed behind what was told.

    It is made anew at each start: what the process before had received and not acknowledged then comes first and at
    once, in the order of the stream, and not behind newer events when the time to acknowledge has run out.
    """
    durable = Durable(
        name=consumer_name(sink),
        start_sequence=ledger.next_sequence,
        max_ack_pending=MAX_WAITING,
        ack_wait_seconds=_ACK_WAIT_SECONDS,
    )
    await bus.delete_consumer(EVENTS, durable.name)
    return bus.feed(EVENTS, durable=durable)
