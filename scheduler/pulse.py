"""Notices that this process itself did not run for a while: stopped, swapped out, starved.

Hosts could not be heard in that time, so their silence proves nothing: every lease starts anew before anything is
reaped (P17). The pulse is felt at least five times a lease, so a gap of half a lease is no accident of timing.
"""

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from scheduler.cluster_view import ClusterView, Moment

_log = get_logger(__name__)
_BEATS_PER_LEASE = 5
_GAP_BEATS = 2.5


class Pulse:
    """Feels the pulse of the own process."""

    def __init__(self, view: ClusterView, clock: Clock, *, lease_seconds: float) -> None:
        self.beat_seconds = lease_seconds / _BEATS_PER_LEASE
        self._view = view
        self._clock = clock
        self._felt_at = clock.monotonic()

    async def run(self) -> None:
        """Feel it for ever."""
        while True:
            self.feel()
            await self._clock.sleep(self.beat_seconds)

    def feel(self) -> None:
        """Start every lease anew when the last look was too long ago. Called before anything is reaped."""
        now = self._clock.monotonic()
        gap_seconds, self._felt_at = now - self._felt_at, now
        if gap_seconds > self.beat_seconds * _GAP_BEATS:
            _log.warning("this process did not run for a while; leases start anew", seconds=round(gap_seconds, 3))
            self._view.restart_leases(Moment(self._clock.now(), now))
