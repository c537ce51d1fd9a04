"""Says where a job stands and why: in the scheduler's words, or in the gateway's own while the scheduler is away."""

from dataclasses import dataclass
from typing import Protocol

from gateway.find_job import FindsJobs, find_job
from gateway.job_view import KnowsHosts, wait_reason
from gateway.projection.view import Projection
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName
from headway.contract.priority import effective_priority
from headway.contract.standing import standing_in_words
from headway.contract.states import is_terminal
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.principal import Principal
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED
from headway.v1.jobs_service_pb2 import ExplainJobRequest, ExplainJobResponse, HostVerdict
from headway.v1.records_pb2 import JobRecord

_log = get_logger(__name__)


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
            priority = 0.0 if is_terminal(job.state) else effective_priority(job, self.clock.now())
            return ExplainJobResponse(summary=standing_in_words(job), effective_priority=priority)
        hosts = self.hosts.live()
        num_ahead = await self.projection.num_ahead(name.project, name.job_id)
        now = self.clock.now()
        summary = f"QUEUED: {wait_reason(record, hosts, now)}; {num_ahead} ahead; the scheduler does not answer"
        return ExplainJobResponse(
            summary=summary,
            effective_priority=effective_priority(job, now),
            num_ahead=num_ahead,
            verdicts=[_verdict(host, job.kind) for host in hosts],
        )


def _verdict(host: HostFacts, kind: str) -> HostVerdict:
    if host.draining:
        return HostVerdict(host=host.name, reason="DRAINING", message="takes no new work")
    if kind not in host.kinds:
        return HostVerdict(host=host.name, reason="NO_RECIPE", message=f"has no recipe for {kind}")
    return HostVerdict(host=host.name, suitable=True)
