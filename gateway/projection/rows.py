"""What the projection keeps of a job's record beside its bytes."""

import zlib
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from headway.contract.kinds import INTERNAL_KINDS
from headway.contract.priority import base_priority
from headway.v1.jobs_pb2 import JobState
from headway.v1.records_pb2 import JobRecord

TAG_SEPARATOR = "\x1f"
INTERNAL_PREFIX = "."
"""Stands before the project of a row that is nobody's job, such as a prediction's. No project's id begins so: whatever
asks for a project's jobs, by any index, does not come upon them."""
AFTER_INTERNAL = "/"
"""The first text behind all that begin so."""

Row = tuple[str, int, str, int, str, str, str, int, str, int, int, int, str, str, bytes, int]
"""The columns of table `jobs`, in order."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """One revision of a job's record, as the bucket's stream tells it.

    Attributes:
        job_id: the record's key.
        revision: its sequence in the stream; newer revisions are greater.
        record: the parsed record; shared, so nobody changes it. None: the record was deleted or has expired.
        data: the record's bytes.
    """

    job_id: str
    revision: int
    record: JobRecord | None
    data: bytes

    @property
    def state(self) -> "JobState.ValueType | None":
        """The job's state; None when the record is gone."""
        return None if self.record is None else self.record.job.state


def row_of(seen: JobSeen, record: JobRecord) -> Row:
    """The row of a record that exists."""
    job = record.job
    return (
        seen.job_id,
        seen.revision,
        (INTERNAL_PREFIX if job.kind in INTERNAL_KINDS else "") + project_of(job.name),
        job.state,
        job.kind,
        job.user_id,
        job.spec.display_name,
        job.mode,
        job.host,
        base_priority(job),
        microseconds(job.create_time),
        microseconds(job.end_time),
        _joined(list(job.spec.tags)),
        record.key_id,
        seen.data,
        checksum(seen.data),
    )


def checksum(data: bytes) -> int:
    """What is kept beside a record's bytes, to tell when the disk has changed them."""
    return zlib.crc32(data)


def project_of(name: str) -> str:
    """The project's id in `projects/{project}/...`; empty for any other name."""
    parts = name.split("/", 2)
    return parts[1] if len(parts) == 3 else ""


def microseconds(moment: Timestamp) -> int:
    """A time as microseconds since the epoch; 0 when it is unset."""
    return moment.seconds * 1_000_000 + moment.nanos // 1000


def _joined(tags: list[str]) -> str:
    return TAG_SEPARATOR + TAG_SEPARATOR.join(tags) + TAG_SEPARATOR if tags else ""
