"""Answers GetJob from the jobs bucket itself: whoever wrote last, the answer shows it (P23)."""

from dataclasses import dataclass

from gateway.find_job import FindsJobs, find_job
from gateway.job_view import JobViews
from headway.runtime.principal import Principal
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import GetJobRequest


@dataclass(frozen=True, slots=True)
class JobReader:
    """Reads single jobs.

    Attributes:
        records: the jobs bucket.
        views: turns records into jobs.
    """

    records: FindsJobs
    views: JobViews

    async def get(self, request: GetJobRequest, principal: Principal) -> Job:
        """The job as it is now.

        Raises:
            NotFound: no such job, or none that the key may see.
        """
        stored = await find_job(self.records, request.name, principal)
        return self.views.finished(stored.value, stored.revision)
