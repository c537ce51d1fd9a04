"""Finds the bundle of a recent run, for those who name a model by the run that made it."""

from dataclasses import dataclass

from gateway.find_job import FindsJobs
from gateway.recent_runs import RecentRuns
from headway.contract.errors import InvalidName
from headway.contract.ids import JobName
from headway.runtime.clock import Clock
from headway.v1.records_pb2 import JobRecord


@dataclass(frozen=True, slots=True)
class RunFinder:
    """Looks runs up.

    Attributes:
        jobs: the bucket.
        runs: which of them can still be used.
        clock: for their age.
    """

    jobs: FindsJobs
    runs: RecentRuns
    clock: Clock

    async def find(self, run_id: str, *, project: str, what: str = "Run") -> JobRecord:
        """The record of a run whose bundle can be used now.

        Args:
            run_id: a job's id, or its name `projects/{project}/jobs/{job}`.
            project: the run must be of it; the caller's right is checked before.
            what: what the run is to the caller, for the message.

        Raises:
            NotFound: it never was a run of the project, has expired, or was pushed out by newer ones.
        """
        job_id = run_id.rpartition("/")[2]
        try:
            name = JobName.parse(run_id if "/" in run_id else f"projects/{project}/jobs/{run_id}")
        except InvalidName:
            # Whatever is no id was never a run; and it may not be a key of the bucket either.
            return self.runs.find(run_id, None, project=project, now=self.clock.now(), what=what)
        is_ours = name.project == project
        stored = await self.jobs.find(job_id) if is_ours else None
        return self.runs.find(job_id if is_ours else run_id, stored, project=project, now=self.clock.now(), what=what)
