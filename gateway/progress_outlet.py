"""Publishes the newest progress of each job, at most ten times a second; what comes in between is left out."""

from collections import OrderedDict
from dataclasses import dataclass

from gateway.progress_checks import clamped
from headway.contract.errors import StoreUnavailable
from headway.contract.events import progress_event
from headway.contract.limits import PROGRESS_INTERVAL
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.service import Spawner
from headway.v1.jobs_pb2 import Job, Progress

_log = get_logger(__name__)
_JOBS_REMEMBERED = 4096


@dataclass(slots=True)
class _Outlet:
    """What of a job was last reported and published."""

    newest: Progress
    job: Job
    host: str
    is_waiting: bool = False
    published_seconds: float = float("-inf")


class ProgressOutlet:
    """Shared by all telemetry streams, because the streams of one attempt follow each other."""

    def __init__(self, bus: Bus, clock: Clock, spawner: Spawner) -> None:
        """Args: bus: for the events. clock: for the pace. spawner: owns the wait for the next moment to publish."""
        self._bus = bus
        self._clock = clock
        self._spawner = spawner
        self._outlets: OrderedDict[str, _Outlet] = OrderedDict()

    def offer(self, job: Job, host: str, attempt: int, progress: Progress) -> None:
        """Take progress; returns at once.

        Args:
            job: whose.
            host: `hosts/{host}` that sent it.
            attempt: the attempt, checked.
            progress: as sent.
        """
        outlet = self._outlets.get(job.name)
        before = outlet.newest if outlet is not None and outlet.newest.attempt == attempt else None
        believable = clamped(progress, before, attempt, self._clock.now())
        if outlet is None:
            outlet = self._outlets[job.name] = _Outlet(believable, job, host)
            if len(self._outlets) > _JOBS_REMEMBERED:
                self._outlets.popitem(last=False)
        self._outlets.move_to_end(job.name)
        outlet.newest, outlet.job, outlet.host = believable, job, host
        if not outlet.is_waiting:
            outlet.is_waiting = True
            self._spawner.spawn("progress", self._publish_in_time(outlet))

    async def _publish_in_time(self, outlet: _Outlet) -> None:
        wait = outlet.published_seconds + PROGRESS_INTERVAL.total_seconds() - self._clock.monotonic()
        if wait > 0:
            await self._clock.sleep(wait)
        outlet.is_waiting = False
        outlet.published_seconds = self._clock.monotonic()
        event = progress_event(outlet.job, outlet.host, outlet.newest)
        try:
            await self._bus.publish(event.subject, event.body, headers=event.headers)
        except StoreUnavailable:
            # Progress is lossy, and the next one comes in a moment.
            _log.debug("progress was not published", job=outlet.job.name)
