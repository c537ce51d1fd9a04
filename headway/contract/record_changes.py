"""What every change of a job's record is made of: the fence, a copy, an attempt's end, the transition appended."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from headway.contract.errors import JobCancelled, StaleAttempt
from headway.contract.limits import RECORD_MAX_BYTES, TRANSITIONS_KEPT
from headway.contract.run_time import NONE, add_run_time
from headway.contract.states import REPLACEABLE_EVENTS, Event, is_held, is_terminal, next_state, state_name
from headway.contract.times import moment, timestamp
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
    record: JobRecord,
    outcome: "AttemptOutcome.ValueType",
    failure: Failure | None,
    now: datetime,
    *,
    ran: timedelta = NONE,
) -> JobRecord:
    """A copy in which the current attempt has ended, after it was at work for `ran`."""
    changed = copied(record)
    attempt = changed.job.attempts[-1]
    attempt.outcome = outcome
    attempt.end_time.FromDatetime(steady(changed.job, now))
    if failure is not None:
        attempt.failure.CopyFrom(failure)
    add_run_time(changed, ran)
    return changed


def steady(job: Job, now: datetime) -> datetime:
    """`now`, or the last transition's time when the wall clock went back since: no history runs backwards (P22).

    Every time that goes into a record passes here, so that a job whose clock jumped still waits as long as it should.
    """
    return max(now, moment(job.transitions[-1].occur_time)) if job.transitions else now


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
    time = timestamp(steady(job, now))
    job.transitions.add(
        number=record.next_transition,
        event=event.value,
        from_state=source,
        to_state=target,
        occur_time=time,
        attempt=job.attempt,
        host=job.host if source != JOB_STATE_UNSPECIFIED else "",
        reason=reason,
        message=message,
    )
    _let_go(record)
    record.next_transition += 1
    job.state = target
    job.update_time.CopyFrom(time)
    if not is_held(target):
        job.host = ""
    if is_terminal(target):
        job.end_time.CopyFrom(time)
    return record


def _let_go(record: JobRecord) -> None:
    """Keep the history within its bounds: what a later transition has replaced goes first, then what is oldest.

    So a job that is saved every minute for days keeps the begin and end of each attempt, and no event in its life is
    lost while nobody publishes, as without a scheduler; of many checkpoints only older ones are then never told.
    """
    kept = record.job.transitions
    while len(kept) > TRANSITIONS_KEPT or (len(kept) > 1 and record.ByteSize() > RECORD_MAX_BYTES):
        del kept[_least_needed(kept)]


def _least_needed(kept: Sequence[Transition]) -> int:
    """Place of the oldest transition that a later one has replaced; 0, the oldest of all, when there is none."""
    newest = {one.event: place for place, one in enumerate(kept) if one.event in REPLACEABLE_EVENTS}
    return next((place for place, one in enumerate(kept) if place < newest.get(one.event, 0)), 0)
