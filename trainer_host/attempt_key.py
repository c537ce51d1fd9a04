"""Which attempt of which job, and the file name that goes with it."""

import re
from dataclasses import dataclass
from typing import Protocol, Self

from headway.contract.errors import InvalidName
from headway.contract.ids import JobName
from headway.v1.scheduler_service_pb2 import AttemptReference

_FILE_NAME = re.compile(r"(?P<project>[a-z0-9-]+)~(?P<job_id>[a-z0-9]+)~(?P<attempt>[1-9][0-9]{0,9})")


class NamesAttempt(Protocol):
    """Every message that names an attempt does it with these two fields."""

    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """One attempt of one job.

    Attributes:
        job: `projects/{project}/jobs/{job}`.
        attempt: the fence, from 1.
    """

    job: str
    attempt: int

    @classmethod
    def of(cls, message: NamesAttempt) -> Self:
        """The attempt that a message is about."""
        return cls(message.job, message.attempt)

    @classmethod
    def from_file_name(cls, name: str) -> Self | None:
        """The attempt that a file or folder belongs to; None when the name is not one of ours."""
        found = _FILE_NAME.fullmatch(name)
        if found is None:
            return None
        return cls(JobName(found["project"], found["job_id"]).name, int(found["attempt"]))

    @property
    def parent(self) -> str:
        """`projects/{project}`, whose blobs it may touch."""
        return self.job.partition("/jobs/")[0]

    @property
    def file_name(self) -> str:
        """A name for its files: without a slash, and unique on the host.

        Raises:
            InvalidName: the job's name is none, so that no path is ever made of foreign text.
        """
        name = JobName.parse(self.job, field="job")
        if self.attempt < 1:
            raise InvalidName(f"{self.attempt} is not the number of an attempt; they count from 1")
        return f"{name.project}~{name.job_id}~{self.attempt}"

    def reference(self) -> AttemptReference:
        """The attempt as the scheduler names it."""
        return AttemptReference(job=self.job, attempt=self.attempt)

    def __str__(self) -> str:
        """For logs."""
        return f"{self.job}#{self.attempt}"
