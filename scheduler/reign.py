"""One time of leading, from the moment when this process got the leader lease to the one when it lost it.

Everything that only the leader does is made anew for it: what a former reign believed of hosts, of events and of its
own pulse is old by now. The jobs and the default mode are followed all the time, by standbys too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from scheduler.events_publisher import EventsPublisher
from scheduler.passes import PassLoop
from scheduler.presence import Presence
from scheduler.pulse import Pulse
from scheduler.synchronize import Synchronizer

_log = get_logger(__name__)


class Reign:
    """The parts that lead; `loops` run together until the reign is over."""

    def __init__(
        self,
        *,
        warm: Iterable[Callable[[], Awaitable[object]]],
        presence: Presence,
        passes: PassLoop,
        pulse: Pulse,
        events: EventsPublisher,
        synchronizer: Synchronizer,
        clock: Clock,
    ) -> None:
        """Name the parts.

        Args:
            warm: what is followed all the time; each returns once it has seen what is stored now.
            presence: hosts, told to others.
            passes: claims, and ends of attempts.
            pulse: notices freezes.
            events: of jobs.
            synchronizer: conversations with hosts.
            clock: for the log.
        """
        self.synchronizer = synchronizer
        self.recovered = asyncio.Event()
        """Set once everything is known that can be known without the hosts."""
        self.is_over = False
        self._warm = tuple(warm)
        self._presence = presence
        self._passes = passes
        self._pulse = pulse
        self._events = events
        self._clock = clock

    @property
    def loops(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What runs while it lasts; none of them returns."""
        return (
            self._recover,
            lambda: self._presence.run(self.recovered),
            self._pulse.run,
            lambda: self._passes.run(self.recovered),
            self._events.run,
        )

    def end(self) -> None:
        """Hang up on every host, so that each looks for the next leader."""
        self.is_over = True
        self.synchronizer.close()
        # Whoever waits for it looks again, and finds that it is over.
        self.recovered.set()

    async def _recover(self) -> None:
        """Know what there is, before anything is decided (P18)."""
        began = self._clock.monotonic()
        for catch_up in (*self._warm, self._presence.caught_up.wait):
            await catch_up()
        self.recovered.set()
        _log.info("recovered", seconds=round(self._clock.monotonic() - began, 3))
        await asyncio.Event().wait()
