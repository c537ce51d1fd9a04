"""The loop that runs a pass whenever there is news or time alone has changed something. It never polls."""

import asyncio
from collections.abc import Callable

from headway.runtime.clock import Clock
from scheduler.apply import Applier
from scheduler.cluster_view import ClusterView, Moment
from scheduler.host_table import LiveHost
from scheduler.pulse import Pulse
from scheduler.reconcile import next_look, reconcile
from scheduler.signals import Signals

_RETRY_SECONDS = 0.5
"""Until the next pass when the store refused a change; news brings it forward."""
_IDLE_SECONDS = 60.0
"""Until the next pass when there is neither a lease nor a retry to wait for."""


class PassLoop:
    """Runs passes until cancelled."""

    def __init__(
        self,
        view: ClusterView,
        applier: Applier,
        signals: Signals,
        pulse: Pulse,
        clock: Clock,
        *,
        on_host_lost: Callable[[LiveHost], None],
    ) -> None:
        """Name the parts.

        Args:
            view: what is believed.
            applier: carries plans out.
            signals: wakes the loop.
            pulse: felt before anything is reaped.
            clock: for leases and waits.
            on_host_lost: told of each host whose lease has ended.
        """
        self._view = view
        self._applier = applier
        self._signals = signals
        self._pulse = pulse
        self._clock = clock
        self._on_host_lost = on_host_lost

    async def run(self, recovered: asyncio.Event) -> None:
        """Wait for recovery, start every lease anew, then pass after pass (P18)."""
        await recovered.wait()
        self._pulse.feel()
        self._view.restart_leases(self._now())
        while True:
            # What arrives during the pass wakes the next one at once.
            self._signals.pass_wanted.clear()
            wait_seconds = await self.pass_once()
            await self._clock.wait_for_event(self._signals.pass_wanted, wait_seconds)

    async def pass_once(self) -> float:
        """One pass; returns how many seconds the next may be put off without news."""
        self._pulse.feel()
        for host in self._view.lose_silent_hosts(self._now()):
            self._on_host_lost(host)
        now = self._clock.monotonic()
        is_done = await self._applier.apply(reconcile(self._view.snapshot(), now))
        if not is_done:
            return _RETRY_SECONDS
        # Whatever the plan changed has set `pass_wanted`; what is left to find is what only time will bring.
        moments = [next_look(self._view.snapshot(), now), self._view.hosts.next_loss()]
        next_moment = min((moment for moment in moments if moment is not None), default=now + _IDLE_SECONDS)
        return max(0.0, next_moment - self._clock.monotonic())

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())
