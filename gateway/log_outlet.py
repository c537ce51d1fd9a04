"""Publishes kept log lines, in order, without ever holding up their host; what is too much is left out."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from headway.contract.errors import StoreUnavailable
from headway.contract.log_events import log_events
from headway.runtime.bus import Bus
from headway.runtime.logs import get_logger
from headway.runtime.service import Spawner
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import LogLine

_log = get_logger(__name__)
BATCHES_WAITING_MAX = 64
"""Batches of lines behind the one being published; those that come meanwhile are left out, as the stream is lossy."""


@dataclass(frozen=True, slots=True)
class _Batch:
    job: Job
    host: str
    attempt: int
    lines: Sequence[LogLine]


class LogOutlet:
    """One for all jobs: lines of one job follow each other."""

    def __init__(self, bus: Bus, spawner: Spawner) -> None:
        """Args: bus: for the events. spawner: owns the publishing."""
        self._bus = bus
        self._spawner = spawner
        self._waiting: deque[_Batch] = deque()
        self._is_publishing = False

    def offer(self, job: Job, host: str, attempt: int, lines: Sequence[LogLine]) -> None:
        """Take lines that were kept, already cleaned; returns at once.

        Args:
            job: whose.
            host: `hosts/{host}` that sent them.
            attempt: that wrote them.
            lines: in order, at least one.
        """
        if len(self._waiting) >= BATCHES_WAITING_MAX:
            return
        self._waiting.append(_Batch(job, host, attempt, lines))
        if not self._is_publishing:
            self._is_publishing = True
            self._spawner.spawn("logs", self._publish())

    async def _publish(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting.popleft()
                for event in log_events(batch.job, batch.host, batch.attempt, batch.lines):
                    await self._bus.publish(event.subject, event.body, headers=event.headers)
        except StoreUnavailable:
            # The lines are in the job's log; only those who listen have missed some.
            _log.debug("log lines were not published")
            self._waiting.clear()
        finally:
            self._is_publishing = False
