"""Says where a job stands and why: in the scheduler's words, or in the gateway's own while the scheduler is away."""

from dataclasses import dataclass
from typing import Protocol

from gateway.find_job import FindsJobs, find_job
from gateway.job_view import KnowsHosts, wait_reason
from gateway.projection.view import Projection
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName
from headway.contract.pausing import paused_in_words
from headway.contract.states import state_name
from headway.contract.times import moment
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.principal import Principal
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, JOB_STATE_QUEUED, Job
from headway.v1.jobs_service_pb2 import ExplainJobRequest, ExplainJobResponse, HostVerdict
from headway.v1.records_pb2 import JobRecord

_log = get_logger(__name__)

SECONDS_PER_PRIORITY_POINT = 3600
"""A job gains one point of priority for each hour that it waits."""


class Scheduler(Protocol):
    """The scheduler, as far as explanations go."""

    async def explain(self, job_name: str) -> ExplainJobResponse:
        """Its view of the job; raises RemoteError when it cannot answer."""
        ...


@dataclass(frozen=True, slots=True)
class Explainer:
    """Serves ExplainJob.

    Attributes:
        records: the jobs bucket.
        projection: counts the jobs ahead.
        hosts: those that are up.
        scheduler: is asked first.
        clock: for the time waited.
    """

    records: FindsJobs
    projection: Projection
    hosts: KnowsHosts
    scheduler: Scheduler
    clock: Clock

    async def explain(self, request: ExplainJobRequest, principal: Principal) -> ExplainJobResponse:
        """The explanation.

        Raises:
            NotFound: no such job, or none that the key may see.
        """
        stored = await find_job(self.records, request.name, principal)
        try:
            return await self.scheduler.explain(request.name)
        except RemoteError as error:
            _log.info("the scheduler does not explain", reason=error.reason)
            return await self._own_view(JobName.parse(request.name), stored.value)

    async def _own_view(self, name: JobName, record: JobRecord) -> ExplainJobResponse:
        job = record.job
        if job.state != JOB_STATE_QUEUED:
            return ExplainJobResponse(summary=_standing(job))
        hosts = self.hosts.live()
        num_ahead = await self.projection.num_ahead(name.project, name.job_id)
        now = self.clock.now()
        waited_seconds = max(0.0, (now - moment(job.create_time)).total_seconds())
        summary = f"QUEUED: {wait_reason(record, hosts, now)}; {num_ahead} ahead; the scheduler does not answer"
        return ExplainJobResponse(
            summary=summary,
            effective_priority=job.spec.priority + waited_seconds / SECONDS_PER_PRIORITY_POINT,
            num_ahead=num_ahead,
            verdicts=[_verdict(host, job.kind) for host in hosts],
        )


def _standing(job: Job) -> str:
    last = job.transitions[-1] if job.transitions else None
    if job.state == JOB_STATE_PAUSED:
        return f"{state_name(job.state)}: {paused_in_words(job)}"
    words = [state_name(job.state)]
    if job.host:
        words.append(f"attempt {job.attempt} on {job.host}")
    if job.HasField("failure"):
        words.append(f"{job.failure.reason}: {job.failure.message}")
    elif last is not None and last.message:
        words.append(last.message)
    return "; ".join(words)


def _verdict(host: HostFacts, kind: str) -> HostVerdict:
    if host.draining:
        return HostVerdict(host=host.name, reason="DRAINING", message="takes no new work")
    if kind not in host.kinds:
        return HostVerdict(host=host.name, reason="NO_RECIPE", message=f"has no recipe for {kind}")
    return HostVerdict(host=host.name, suitable=True)
