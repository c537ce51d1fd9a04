"""Receives events: reads them, holds them for delivery, and sets aside what nobody can use.

No message stops the ones behind it: one that cannot be used is terminated at the server, counted, and logged once.
"""

from collections.abc import Callable
from dataclasses import replace

from headway.runtime.clock import Clock
from headway.runtime.feeds import Feed, Message
from headway.runtime.logs import get_logger
from notifier.backlog import Backlog
from notifier.batching import Held
from notifier.decode import Poison, decode
from notifier.happening import Happening
from notifier.ledger import Ledger
from notifier.places import Order, Place

_log = get_logger(__name__)


class Reception:
    """One loop over the feed of events."""

    def __init__(
        self, feed: Feed, ledger: Ledger, backlog: Backlog, wants: Callable[[Happening], bool], clock: Clock
    ) -> None:
        """Args: wants: whether people are told of an event; what is not wanted counts as told."""
        self._log = _log.bind(sink=ledger.sink)
        self._feed = feed
        self._ledger = ledger
        self._backlog = backlog
        self._wants = wants
        self._clock = clock
        self.num_set_aside = 0
        self.num_repeated = 0

    async def run(self) -> None:
        """Receive for ever."""
        async for message in self._feed:
            await self._take(message)

    async def _take(self, message: Message) -> None:
        if message.sequence in self._ledger.settled:
            await self._feed.ack(message)
            return
        if message.sequence in self._backlog:
            return  # The server sends again what was not acknowledged in time; the sink is out.
        self._ledger.settled.receive(message.sequence, now_seconds=self._clock.monotonic())
        try:
            happening = decode(message.subject, message.data)
            is_news = self._is_news(happening, message.sequence)
        except Poison as poison:
            await self._set_aside(message, poison)
            return
        if is_news and self._is_worth_telling(happening):
            held = Held(sequence=message.sequence, happening=happening, arrival_seconds=self._clock.monotonic())
            # The body has been read; a backlog of thousands need not keep it.
            self._backlog.add(held, replace(message, data=b""))
            return
        self.num_repeated += not is_news
        self._ledger.pass_over(message.sequence)
        await self._feed.ack(message)

    def _is_worth_telling(self, happening: Happening) -> bool:
        return happening.occur_time >= self._ledger.begin_time and self._wants(happening)

    def _is_news(self, happening: Happening, sequence: int) -> bool:
        if not happening.transition_number:
            return True
        order = self._ledger.places.judge(happening.job_id, Place(sequence, happening.transition_number))
        if order is Order.BACKWARDS:
            raise Poison("SEQUENCE_WENT_BACK", f"transition {happening.transition_number} of {happening.job_id} is old")
        return order is Order.NEXT

    async def _set_aside(self, message: Message, poison: Poison) -> None:
        self.num_set_aside += 1
        self._log.error(
            "event set aside",
            reason=poison.reason,
            why=str(poison),
            subject=message.subject,
            sequence=message.sequence,
            num_set_aside=self.num_set_aside,
        )
        await self._ledger.settle([message.sequence])
        await self._feed.term(message, poison.reason)
