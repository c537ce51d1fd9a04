"""Pausing and resuming a job, as pure functions from one record to the next, like those of `transitions`.

The wish is `desired`, the state follows it. A host that was told to stop is not called back: a job that is resumed
while it is PAUSING is paused first and queued again in the same write.
"""

from datetime import datetime

from headway.contract.errors import InvalidTransition
from headway.contract.record_changes import append, copied, last_of
from headway.contract.run_time import MAX_RUNTIME, begin_term, is_used_up, used_up_in_words
from headway.contract.states import Event, is_terminal, state_name
from headway.v1.jobs_pb2 import (
    DESIRED_STATE_PAUSE,
    DESIRED_STATE_RUN,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Job,
)
from headway.v1.records_pb2 import JobRecord

PAUSE_REQUESTED = "PAUSE_REQUESTED"
RESUME_REQUESTED = "RESUME_REQUESTED"


def request_pause(record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
    """Record the wish to pause. A job that waits for a host is PAUSED at once, one that runs PAUSING.

    Returns:
        None when the job is PAUSED, or PAUSING with nobody having asked for more since.

    Raises:
        InvalidTransition: when the job is being cancelled, or over.
    """
    job = record.job
    _refuse_what_ends(job, "paused")
    if job.desired == DESIRED_STATE_PAUSE and job.state in (JOB_STATE_PAUSED, JOB_STATE_PAUSING):
        return None
    changed = copied(record)
    changed.job.desired = DESIRED_STATE_PAUSE
    event = Event.PAUSED if job.state == JOB_STATE_QUEUED else Event.PAUSE_REQUESTED
    return append(changed, event, now, reason=PAUSE_REQUESTED, message=message)


def request_resume(record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
    """Record the wish to go on. A PAUSED job is QUEUED; one that is PAUSING will be, once its host has stopped.

    One whose max_runtime is used up gets as long again.

    Returns:
        None when the job is QUEUED or RUNNING, or PAUSING and to be resumed already.

    Raises:
        InvalidTransition: when the job is being cancelled, or over.
    """
    job = record.job
    _refuse_what_ends(job, "resumed")
    if job.state in (JOB_STATE_QUEUED, JOB_STATE_RUNNING) or job.desired == DESIRED_STATE_RUN:
        return None
    changed = copied(record)
    changed.job.desired = DESIRED_STATE_RUN
    if is_used_up(changed):
        begin_term(changed)
    event = Event.RESUMED if job.state == JOB_STATE_PAUSED else Event.RESUME_REQUESTED
    return append(changed, event, now, reason=RESUME_REQUESTED, message=message)


def settle_pause(changed: JobRecord, now: datetime, *, reason: str, message: str) -> JobRecord:
    """Move a PAUSING job whose attempt has ended, in place: PAUSED, and on to QUEUED when it was resumed meanwhile.

    It is not when its max_runtime was used up after that.

    Args:
        changed: the caller's own copy.
        now: the moment of the decision.
        reason: why the attempt ended.
        message: the same for people.
    """
    if changed.job.desired == DESIRED_STATE_RUN and is_used_up(changed):
        return pause_used_up(changed, now)
    append(changed, Event.PAUSED, now, reason=reason, message=message)
    if changed.job.desired != DESIRED_STATE_RUN:
        return changed
    asked = last_of(changed.job, Event.RESUME_REQUESTED)
    return append(changed, Event.RESUMED, now, reason=RESUME_REQUESTED, message=asked.message)


def pause_used_up(changed: JobRecord, now: datetime) -> JobRecord:
    """Pause a job whose attempt has ended and whose max_runtime is used up, in place, although nobody asked for it."""
    changed.job.desired = DESIRED_STATE_PAUSE
    return append(changed, Event.PAUSED, now, reason=MAX_RUNTIME, message=used_up_in_words(changed.job.spec))


def what_is_kept(job: Job) -> str:
    """Where a paused job will go on, in words, such as `it goes on from step 120 when resumed`."""
    if job.HasField("checkpoint"):
        return f"it goes on from step {job.checkpoint.step} when resumed"
    if job.attempt == 0:
        return "it had not begun"
    return "it has no checkpoint, and begins again when resumed"


def paused_in_words(job: Job) -> str:
    """Why a PAUSED job waits, and where it will go on."""
    paused = last_of(job, Event.PAUSED)
    why = f" ({paused.message})" if paused.message else ""
    return f"it waits to be resumed{why}; {what_is_kept(job)}"


def _refuse_what_ends(job: Job, verb: str) -> None:
    if job.state == JOB_STATE_CANCELLING:
        fix = "a cancellation cannot be taken back; submit it again"
    elif is_terminal(job.state):
        fix = "it is over; submit it again to train it anew"
    else:
        return
    state = state_name(job.state)
    raise InvalidTransition(f"a job that is {state} cannot be {verb}: {fix}", metadata={"state": state, "event": verb})
