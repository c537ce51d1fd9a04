"""A job's priority: what it now is, what waiting adds to it, and a caller's wish to change it. Pure."""

from datetime import datetime
from typing import Final

from headway.contract.errors import InvalidTransition
from headway.contract.record_changes import append, copied
from headway.contract.states import Event, is_terminal, state_name
from headway.contract.times import moment
from headway.v1.jobs_pb2 import Job
from headway.v1.records_pb2 import JobRecord

PRIORITY_REQUESTED = "PRIORITY_REQUESTED"
SECONDS_PER_POINT: Final = 3600.0
"""A job gains one point of priority for each hour that it waits."""


def base_priority(job: Job) -> int:
    """What the caller last asked for; the spec's in a record of a release that could not change it."""
    return job.priority if job.HasField("priority") else job.spec.priority


def effective_priority(job: Job, now: datetime) -> float:
    """Base priority and one point for each hour waited."""
    waited_seconds = max(0.0, (now - moment(job.create_time)).total_seconds())
    return base_priority(job) + waited_seconds / SECONDS_PER_POINT


def request_priority(record: JobRecord, priority: int, *, message: str, now: datetime) -> JobRecord | None:
    """Record another base priority. It takes effect where the job waits, at once or when it waits again.

    Returns:
        None when the job has this priority already.

    Raises:
        InvalidTransition: when the job is over.
    """
    job = record.job
    if is_terminal(job.state):
        state = state_name(job.state)
        raise InvalidTransition(
            f"the priority of a job that is {state} cannot be changed: it is over; submit it again with another one",
            metadata={"state": state, "event": Event.PRIORITY_CHANGED.value},
        )
    before = base_priority(job)
    if before == priority:
        return None
    changed = copied(record)
    changed.job.priority = priority
    words = f"from {before} to {priority}" + (f": {message}" if message else "")
    return append(changed, Event.PRIORITY_CHANGED, now, reason=PRIORITY_REQUESTED, message=words)
