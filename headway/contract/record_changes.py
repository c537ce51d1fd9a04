"""What every change of a job's record is made of: the fence, a copy, an attempt's end, the transition appended."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from headway.contract.errors import JobCancelled, StaleAttempt
from headway.contract.limits import TRANSITIONS_KEPT
from headway.contract.states import Event, is_held, is_terminal, next_state, state_name
from headway.contract.times import timestamp
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_UNSPECIFIED,
    AttemptOutcome,
    Failure,
    Job,
    Transition,
)
from headway.v1.records_pb2 import JobRecord


def check_attempt(record: JobRecord, attempt: int) -> None:
    """Refuse a write under an attempt that is not the job's current, held one (StaleAttempt)."""
    job = record.job
    if is_held(job.state) and job.attempt == attempt:
        return
    raise StaleAttempt(
        f"attempt {attempt} of {job.name} is not current: the job is {state_name(job.state)} at attempt {job.attempt}",
        metadata={"job": job.name, "attempt": str(attempt), "current_attempt": str(job.attempt)},
    )


def check_fence(record: JobRecord, attempt: int, host: str) -> None:
    """Refuse a host's write unless it holds the current attempt and no cancellation was acknowledged.

    Raises:
        JobCancelled: when a cancellation was acknowledged.
        StaleAttempt: when the attempt or its host is not the current one.
    """
    job = record.job
    if job.state in (JOB_STATE_CANCELLING, JOB_STATE_CANCELLED):
        raise JobCancelled(f"{job.name} was cancelled; its result is not taken", metadata={"job": job.name})
    check_holder(record, attempt, host)


def check_holder(record: JobRecord, attempt: int, host: str) -> None:
    """Refuse a write of another attempt or host than the current one (StaleAttempt)."""
    job = record.job
    check_attempt(record, attempt)
    if job.host != host:
        raise StaleAttempt(
            f"attempt {attempt} of {job.name} belongs to {job.host}, not to {host}", metadata={"job": job.name}
        )


def copied(record: JobRecord) -> JobRecord:
    """A copy that may be changed."""
    copy = JobRecord()
    copy.CopyFrom(record)
    return copy


def end_attempt(
    record: JobRecord, outcome: "AttemptOutcome.ValueType", failure: Failure | None, now: datetime
) -> JobRecord:
    """A copy in which the current attempt has ended."""
    changed = copied(record)
    attempt = changed.job.attempts[-1]
    attempt.outcome = outcome
    attempt.end_time.FromDatetime(now)
    if failure is not None:
        attempt.failure.CopyFrom(failure)
    return changed


def last_of(job: Job, event: Event) -> Transition:
    """The newest transition by this event; an empty one when there is none."""
    return next((one for one in reversed(job.transitions) if one.event == event), Transition())


def append(record: JobRecord, event: Event, now: datetime, *, reason: str = "", message: str = "") -> JobRecord:
    """Move the record's job by `event`. `record` is the caller's own copy: it is changed in place, and returned.

    Raises:
        InvalidTransition: when the table of states has no such move.
    """
    job = record.job
    source, target = job.state, next_state(job.state, event)
    moment = _clamped(job, now)
    job.transitions.add(
        number=record.next_transition,
        event=event.value,
        from_state=source,
        to_state=target,
        occur_time=moment,
        attempt=job.attempt,
        host=job.host if source != JOB_STATE_UNSPECIFIED else "",
        reason=reason,
        message=message,
    )
    del job.transitions[: max(0, len(job.transitions) - TRANSITIONS_KEPT)]
    record.next_transition += 1
    job.state = target
    job.update_time.CopyFrom(moment)
    if not is_held(target):
        job.host = ""
    if is_terminal(target):
        job.end_time.CopyFrom(moment)
    return record


def _clamped(job: Job, now: datetime) -> Timestamp:
    """`now`, or the last transition's time when the wall clock went back (P22)."""
    moment = timestamp(now)
    if job.transitions:
        last = job.transitions[-1].occur_time
        if (last.seconds, last.nanos) > (moment.seconds, moment.nanos):
            return last
    return moment
