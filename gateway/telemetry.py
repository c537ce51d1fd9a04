"""Takes in what attempts report while they run: progress, which only the newest of counts, and log lines, all kept."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.claims import Claim, read_claim
from gateway.log_checks import checked_lines
from gateway.log_outlet import LogOutlet
from gateway.progress_outlet import ProgressOutlet
from gateway.rights import no_such_job
from headway.contract.errors import StaleAttempt, StreamProtocol
from headway.contract.kinds import INTERNAL_KINDS
from headway.contract.states import is_held
from headway.runtime.clock import Clock
from headway.runtime.records import Records
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import ReportTelemetryRequest

FENCE_SECONDS = 1.0
"""A stale attempt's stream is ended this long after its job moved on, at the latest with its next message."""


class JobLogs(Protocol):
    """Where log lines are kept."""

    async def append(self, job_name: str, attempt: int, lines: Sequence[LogLine]) -> int:
        """Keep new lines of an attempt, and return how many; a repeated number is dropped."""
        ...


@dataclass(slots=True)
class _Fence:
    """The job as it was a moment ago."""

    claim: Claim
    job: Job
    read_seconds: float


class Telemetry:
    """Every telemetry stream of this gateway."""

    def __init__(
        self,
        jobs: Records[JobRecord],
        outlet: ProgressOutlet,
        logs: JobLogs,
        clock: Clock,
        clean: Callable[[str], str],
        *,
        log_outlet: LogOutlet,
    ) -> None:
        """Take what telemetry needs.

        Args:
            jobs: for the fence.
            outlet: for progress.
            logs: keeps lines.
            clock: for the fence.
            clean: takes secrets and paths out of a text.
            log_outlet: tells those who listen of the lines that were kept.
        """
        self._jobs = jobs
        self._outlet = outlet
        self._logs = logs
        self._clock = clock
        self._clean = clean
        self._log_outlet = log_outlet

    async def receive(self, messages: AsyncIterator[ReportTelemetryRequest]) -> int:
        """Take a stream in until the host ends it.

        Returns:
            How many lines were kept.

        Raises:
            StaleAttempt: the job has another attempt by now.
            NotFound: no such job.
            StreamProtocol: a message of another attempt, too many lines, or a line without a number.
        """
        fence: _Fence | None = None
        num_kept = 0
        async for message in messages:
            claim = fence.claim if fence is not None else read_claim(message.job, message.attempt, message.host)
            if (message.job, message.attempt, message.host) != (claim.job.name, claim.attempt, claim.host):
                raise StreamProtocol("every message of a stream must be of the same job, attempt and host")
            if fence is None or self._clock.monotonic() - fence.read_seconds >= FENCE_SECONDS:
                fence = await self._read_fence(claim)
            is_told = fence.job.kind not in INTERNAL_KINDS
            if message.HasField("progress") and is_held(fence.job.state) and is_told:
                message.progress.message = self._clean(message.progress.message)
                self._outlet.offer(fence.job, claim.host, claim.attempt, message.progress)
            if message.lines:
                lines = checked_lines(message.lines, claim.attempt, self._clean)
                num_new = await self._logs.append(claim.job.name, claim.attempt, lines)
                if num_new and is_told:
                    self._log_outlet.offer(fence.job, claim.host, claim.attempt, lines[-num_new:])
                num_kept += num_new
        return num_kept

    async def _read_fence(self, claim: Claim) -> _Fence:
        """The job, if the attempt is its newest. Its last lines may come when it is over already."""
        stored = await self._jobs.find(claim.job.job_id)
        if stored is None or stored.value.job.name != claim.job.name:
            raise no_such_job()
        job = stored.value.job
        newest = job.attempts[-1] if job.attempts else None
        if newest is None or newest.number != claim.attempt or newest.host != claim.host:
            raise StaleAttempt(
                f"attempt {claim.attempt} of {job.name} on {claim.host} is not the job's newest",
                metadata={"job": job.name, "attempt": str(claim.attempt), "current_attempt": str(job.attempt)},
            )
        return _Fence(claim, job, self._clock.monotonic())
