"""Events from the stream that keeps them: in order, none missed, none twice, over restarts of nats-server."""

from collections import OrderedDict
from collections.abc import AsyncGenerator

from headway.cli.listen.heard import HeardEvent, read_event
from headway.cli.listen.wanted import Wanted
from headway.contract.subjects import EVENTS
from headway.runtime.bus import Bus
from headway.runtime.feeds import Durable, Feed, Start

_MAX_IDS = 10_000


class SeenIds:
    """The ids of the newest events; the stream itself drops repeats only for some minutes."""

    def __init__(self, limit: int = _MAX_IDS) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._limit = limit

    def __contains__(self, event: HeardEvent) -> bool:
        return event.event_id in self._ids

    def add(self, event: HeardEvent) -> None:
        """Remember it; the oldest is forgotten."""
        if event.event_id:
            self._ids[event.event_id] = None
            self._ids.move_to_end(event.event_id)
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)


def feed_of(bus: Bus, wanted: Wanted, start: Start, durable: Durable | None = None) -> Feed:
    """The feed that has every event that is wanted; see `Bus.feed`. Nothing is heard before it is entered."""
    # A stream that was made anew holds nothing that was heard before.
    return bus.feed(EVENTS, subject=wanted.subject(), start=start, durable=durable, restart_when_replaced=True)


async def events_in(feed: Feed, wanted: Wanted) -> AsyncGenerator[HeardEvent, None]:
    """Every event of an open feed that is wanted, once, for ever."""
    seen = SeenIds()
    async for message in feed:
        event = read_event(message.subject, message.data, message.time)
        if wanted.takes(event) and event not in seen:
            seen.add(event)
            yield event


async def kept_events(bus: Bus, wanted: Wanted) -> list[HeardEvent]:
    """Every event that is wanted and kept now, oldest first; for few, such as those of one job."""
    kept: dict[str, HeardEvent] = {}
    async with feed_of(bus, wanted, 1) as feed:
        while not feed.is_caught_up:
            message = await anext(aiter(feed))
            event = read_event(message.subject, message.data, message.time)
            if wanted.takes(event):
                kept.setdefault(event.event_id or str(message.sequence), event)
    return list(kept.values())
