"""One life of a notifier without its process: the loops that the wiring starts, on any bus; leaving it is a crash."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from headway.contract.subjects import NOTIFIER
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import Feed, Message
from headway.runtime.redaction import Redactor
from headway.v1.records_pb2 import NotifierRecord
from notifier.backlog import Backlog
from notifier.batching import BatchRules
from notifier.delivery import Delivery
from notifier.ledger import Ledger, open_ledger
from notifier.outlet import Outlet
from notifier.post import open_feed
from notifier.rates import Rate
from notifier.reception import Reception
from notifier.sinks import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeOptions:
    """As `Outlet` has them."""

    rules: BatchRules = field(default_factory=BatchRules)
    rate: Rate | None = None
    sees_repeats: bool = False


class WatchedFeed:
    """A feed whose acknowledgements a test can see, and lose."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.set_aside: dict[int, str] = {}
        self.loses_acknowledgements = False

    @property
    def is_caught_up(self) -> bool:
        return self._feed.is_caught_up

    async def __aenter__(self) -> Self:
        await self._feed.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._feed.__aexit__(exc_type, exc, traceback)

    def __aiter__(self) -> AsyncIterator[Message]:
        return self._feed.__aiter__()

    async def ack(self, message: Message) -> None:
        if not self.loses_acknowledgements:
            await self._feed.ack(message)

    async def nak(self, message: Message, delay_seconds: float) -> None:
        await self._feed.nak(message, delay_seconds)

    async def in_progress(self, message: Message) -> None:
        await self._feed.in_progress(message)

    async def term(self, message: Message, reason: str) -> None:
        self.set_aside[message.sequence] = reason
        await self._feed.term(message, reason)


class Life:
    """What runs between a start and a crash."""

    def __init__(self, feed: WatchedFeed, ledger: Ledger, sink: Sink, clock: Clock, options: LifeOptions) -> None:
        self.feed = feed
        self.ledger = ledger
        self.health = [True]
        outlet = Outlet(
            sink=sink,
            rules=options.rules,
            redact=Redactor().clean,
            report_health=self._note_health,
            rate=options.rate,
            sees_repeats=options.sees_repeats,
        )
        backlog = Backlog()
        self.reception = Reception(feed, ledger, backlog, sink.wants, clock)
        self.delivery = Delivery(feed, ledger, backlog, outlet, clock)

    @classmethod
    @asynccontextmanager
    async def of(
        cls,
        bus: Bus,
        sink: Sink,
        clock: Clock,
        options: LifeOptions = LifeOptions(),
    ) -> AsyncIterator[Self]:
        """A running notifier."""
        ledger = await open_ledger(bus, bus.records(NOTIFIER, NotifierRecord), sink.name, clock)
        async with WatchedFeed(await open_feed(bus, ledger, sink.name)) as feed, asyncio.TaskGroup() as group:
            life = cls(feed, ledger, sink, clock, options)
            loops = [group.create_task(life.reception.run()), group.create_task(life.delivery.run())]
            yield life
            for loop in loops:
                loop.cancel()

    async def _note_health(self, is_well: bool) -> None:
        self.health.append(is_well)
