"""Where a job stands that does not wait for a host, in words; why one does, the scheduler knows best. Pure."""

from headway.contract.modes import mode_name
from headway.contract.pausing import paused_in_words
from headway.contract.record_changes import last_of
from headway.contract.states import Event, is_held, state_name
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_UNSPECIFIED,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_EVAL_FAILED,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    Job,
)


def standing_in_words(job: Job) -> str:
    """The state and one sentence on it, such as `CANCELLED: stopped after 120 steps; ...`."""
    return f"{state_name(job.state)}: {_standing(job)}"


def what_a_cancel_left(job: Job) -> str:
    """How far a CANCELLED job was, and what is kept of it."""
    if not job.attempt:
        return "it had not begun"
    stopped = f"stopped after {job.cancelled_at_step} steps" if job.HasField("cancelled_at_step") else "stopped"
    if not job.HasField("checkpoint"):
        return f"{stopped}; nothing of it was saved"
    return f"{stopped}; its checkpoint of step {job.checkpoint.step} is kept as a partial model"


def _standing(job: Job) -> str:
    if is_held(job.state):
        return _held(job)
    if job.state == JOB_STATE_PAUSED:
        return paused_in_words(job)
    if job.state == JOB_STATE_CANCELLED:
        return _with_message(what_a_cancel_left(job), last_of(job, Event.CANCELLED).message)
    if job.state == JOB_STATE_EVAL_FAILED:
        return f"trained by attempt {job.result.attempt}, but {last_of(job, Event.MISSED_SCORE).message}"
    if job.state == JOB_STATE_FAILED:
        return _failed(job)
    made = job.result.model_version or "its result; the model was not to be registered"
    return f"attempt {job.result.attempt} made {made}"


def _held(job: Job) -> str:
    where = f"attempt {job.attempt} is held by {job.host} in mode {mode_name(job.mode)}"
    why = f"; {job.fallback_reason}" if job.fallback_reason else ""
    return f"{where}{why}{_stopping(job)}{_before(job)}"


def _stopping(job: Job) -> str:
    if job.state == JOB_STATE_CANCELLING:
        return "; once its host has stopped it, it is cancelled, and it never succeeds"
    if job.state == JOB_STATE_PAUSING:
        then = "queued again, since it was resumed" if job.desired == DESIRED_STATE_RUN else "paused"
        return f"; once its host has stopped it, it is {then}"
    return ""


def _before(job: Job) -> str:
    """Why there is more than one attempt."""
    ended = [one for one in job.attempts if one.outcome != ATTEMPT_OUTCOME_UNSPECIFIED and one.failure.reason]
    if not ended:
        return ""
    return f"; attempt {ended[-1].number} ended: {ended[-1].failure.message or ended[-1].failure.reason}"


def _failed(job: Job) -> str:
    why = job.failure.message or f"it is over after {job.attempt} attempts"
    if job.failure.reason:
        why = f"{job.failure.reason}: {why}"
    if job.failure.failure_class == FAILURE_CLASS_USER_INPUT:
        return f"{why}; it was not tried again, for the spec or the data is at fault: mend it and submit it again"
    if job.failure.failure_class == FAILURE_CLASS_TRANSIENT:
        return f"{why}; its tries are used up"
    return f"{why}; it was not tried again, for another try could not help"


def _with_message(text: str, message: str) -> str:
    return f"{text} ({message})" if message else text
