"""By what right a host writes: the job, the attempt as the fence, and the host that its key is for."""

from dataclasses import dataclass

from gateway.rights import require_project
from headway.contract.errors import OutOfRange, PermissionDenied, Violation
from headway.contract.ids import HostName, JobName
from headway.runtime.principal import current_principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What every write of a host names.

    Attributes:
        job: which job.
        attempt: the fence.
        host: `hosts/{host}`.
    """

    job: JobName
    attempt: int
    host: str


def read_claim(job: str, attempt: int, host: str) -> Claim:
    """Check the words of a write and the key that it comes with; whether the attempt is current is not looked at.

    Raises:
        InvalidName: a name is malformed.
        OutOfRange: the attempt is below 1.
        PermissionDenied: the key is not for the project, or is that of another host.
    """
    job_name, host_name = JobName.parse(job, field="job"), HostName.parse(host, field="host")
    principal = current_principal()
    require_project(principal, job_name.project)
    if principal.host_id and principal.host_id != host_name.host_id:
        raise PermissionDenied("the key is for another host", metadata={"host": host_name.host_id})
    if attempt < 1:
        message = f"attempt {attempt} does not exist"
        raise OutOfRange(message, violations=[Violation("attempt", OutOfRange.reason, message, "1 or more")])
    return Claim(job=job_name, attempt=attempt, host=host_name.name)
