"""Finds the job that a call names, for those who may see it."""

from typing import Protocol

from gateway.rights import no_such_job
from headway.contract.ids import JobName
from headway.runtime.principal import Principal
from headway.runtime.records import Stored
from headway.v1.records_pb2 import JobRecord


class FindsJobs(Protocol):
    """The jobs bucket, for those who only read."""

    async def find(self, key: str) -> Stored[JobRecord] | None:
        """The newest revision; None when there is none."""
        ...


async def find_job(records: FindsJobs, name: str, principal: Principal) -> Stored[JobRecord]:
    """The job of a name.

    Raises:
        InvalidName: not the name of a job.
        NotFound: no such job, or none that the key may see; the answer is the same.
    """
    parsed = JobName.parse(name)
    # The look-up is spared for a forbidden project, whether or not the job exists, so time tells nothing either.
    stored = await records.find(parsed.job_id) if principal.may_touch(parsed.project) else None
    if stored is None or stored.value.job.name != name:
        raise no_such_job()
    return stored
