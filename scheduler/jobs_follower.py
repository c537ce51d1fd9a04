"""Follows the bucket `jobs` into the view; what cannot be read is logged and left out, and never stops the rest."""

import asyncio

from headway.contract.errors import HeadwayError
from headway.contract.subjects import JOBS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, Message
from headway.runtime.logs import get_logger
from scheduler.cluster_view import ClusterView, Moment
from scheduler.following import follow
from scheduler.job_index import parse_record

_log = get_logger(__name__)
_CATCH_UP_SECONDS = 1.0
"""The newest revision may be one that nobody is told of any more, and then none comes."""


class JobsFollower:
    """Keeps the view's jobs as the bucket has them."""

    def __init__(self, bus: Bus, view: ClusterView, clock: Clock) -> None:
        self.caught_up = asyncio.Event()
        """Set once every record that existed at the start has been seen."""
        self._bus = bus
        self._view = view
        self._clock = clock
        self._sequence = 0
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever; raises StreamReplaced when the bucket was made anew, and then nothing here is true."""
        async with self._bus.feed(JOBS, start=LAST_PER_SUBJECT) as feed:
            await follow(feed, self.take_in, self.caught_up)

    async def catch_up(self) -> None:
        """Wait until everything has been seen that is stored now, for a bounded time.

        What is missed is no danger, since every change is a compare-and-set; but whoever begins to lead should not give
        away room that its predecessor has just given away.
        """
        await self.caught_up.wait()
        try:
            last_sequence = (await self._bus.stream_state(JOBS)).last_sequence
        except HeadwayError as error:
            _log.warning("whether all jobs are known is not", why=error.message)
            return
        deadline = self._clock.monotonic() + _CATCH_UP_SECONDS
        while self._sequence < last_sequence and (left := deadline - self._clock.monotonic()) > 0:
            self._moved.clear()
            await self._clock.wait_for_event(self._moved, left)

    def take_in(self, message: Message) -> None:
        """One record, as it now is."""
        self._sequence = message.sequence
        self._moved.set()
        if message.is_deleted:
            self._view.remove_job(message.key, message.sequence)
            return
        try:
            record = parse_record(message.key, message.data)
        except ValueError as error:
            _log.error("record cannot be read; the job is left alone", key=message.key, why=str(error))
            self._view.remove_job(message.key, message.sequence)
            return
        now = Moment(self._clock.now(), self._clock.monotonic())
        self._view.put_job(message.key, message.sequence, record, now)
