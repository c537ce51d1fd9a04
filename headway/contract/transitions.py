"""Every change of a job, as pure functions from one record to the next.

Each takes the record as read and `now`, and returns a new record with its transition appended, ready for a
compare-and-set; none changes its argument. The table of moves is `states.TABLE`. Pausing is in `pausing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from headway.contract.errors import AlreadySaved, InvalidTransition
from headway.contract.host_facts import HostFacts
from headway.contract.limits import ATTEMPTS_KEPT, LOSSES_MAX, RETRY_MAX_DEFAULT
from headway.contract.pausing import PAUSE_REQUESTED, pause_used_up, settle_pause
from headway.contract.record_changes import (
    append,
    check_attempt,
    check_fence,
    check_holder,
    copied,
    end_attempt,
    last_of,
    steady,
)
from headway.contract.retry import GiveUp, RetryPolicy, decide
from headway.contract.run_time import NONE, is_used_up, use_up
from headway.contract.states import Event, is_held, state_name
from headway.contract.times import timestamp
from headway.v1.job_specs_pb2 import ExecutionMode, JobSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    DESIRED_STATE_CANCEL,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_RUNNING,
    Admission,
    Attempt,
    Checkpoint,
    Failure,
    Job,
    JobResult,
    PinnedInput,
)
from headway.v1.records_pb2 import JobRecord

_TOO_LATE_TO_PAUSE = "it finished before it could be paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """An admitted job, before it is recorded.

    Attributes:
        name: `projects/{project}/jobs/{job}`.
        spec: as the caller wrote it.
        kind: as `kinds.kind_of` tells.
        user_id: whom the job is for.
        admission: what admission found out.
        inputs: the datasets it reads, pinned.
        model_id: where the result is registered; empty when it is not.
        request_id: the caller's, or empty.
        request_digest: SHA-256 of the request, or empty without a request_id.
        key_id: the calling key's id.
    """

    name: str
    spec: JobSpec
    kind: str
    user_id: str
    admission: Admission
    inputs: Sequence[PinnedInput] = field(default=())
    model_id: str = ""
    request_id: str = ""
    request_digest: str = ""
    key_id: str = ""


def submit(submission: Submission, *, now: datetime) -> JobRecord:
    """The first record of a job: QUEUED."""
    job = Job(
        name=submission.name,
        spec=submission.spec,
        kind=submission.kind,
        desired=DESIRED_STATE_RUN,
        admission=submission.admission,
        user_id=submission.user_id,
        request_id=submission.request_id,
        create_time=timestamp(now),
        priority=submission.spec.priority,
    )
    record = JobRecord(
        job=job,
        request_digest=submission.request_digest,
        inputs=submission.inputs,
        next_transition=1,
        model_id=submission.model_id,
        key_id=submission.key_id,
    )
    return append(record, Event.SUBMITTED, now)


def claim(
    record: JobRecord, *, host: HostFacts, mode: "ExecutionMode.ValueType", fallback_reason: str, now: datetime
) -> JobRecord:
    """Give the job to a host: RUNNING, with the next attempt number as the fence.

    Raises:
        InvalidTransition: unless the job is QUEUED.
    """
    changed = copied(record)
    job = changed.job
    now = steady(job, now)
    job.attempt += 1
    job.host = host.name
    job.mode = mode
    job.fallback_reason = fallback_reason
    changed.ClearField("not_before_time")
    if not job.HasField("start_time"):
        job.start_time.FromDatetime(now)
    attempt = Attempt(
        number=job.attempt,
        host=host.name,
        mode=mode,
        start_time=timestamp(now),
        num_cpu_cores=host.num_cpu_cores,
        memory_mib=host.memory_mib,
        device=host.device,
    )
    del job.attempts[: max(0, len(job.attempts) + 1 - ATTEMPTS_KEPT)]
    job.attempts.append(attempt)
    return append(changed, Event.CLAIMED, now, message=fallback_reason)


def request_cancel(record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
    """Record the wish to stop. A job that no host holds is CANCELLED at once, another CANCELLING.

    Returns:
        None when the job is CANCELLING or CANCELLED already.

    Raises:
        InvalidTransition: when the job is over in another way.
    """
    if record.job.state in (JOB_STATE_CANCELLING, JOB_STATE_CANCELLED):
        return None
    changed = copied(record)
    changed.job.desired = DESIRED_STATE_CANCEL
    event = Event.CANCEL_REQUESTED if is_held(record.job.state) else Event.CANCELLED
    if event is Event.CANCELLED:
        _note_step(changed, 0)
    return append(changed, event, now, reason="CANCEL_REQUESTED", message=message)


def confirm_cancelled(
    record: JobRecord, *, attempt: int, now: datetime, ran: timedelta = NONE, step: int = 0
) -> JobRecord:
    """The host has stopped, for whatever reason, after a cancellation was asked for: CANCELLED.

    What it had saved is kept, as the partial model.

    Args:
        record: as read.
        attempt: the fence.
        now: the moment of the decision.
        ran: how long the attempt was at work.
        step: optimizer steps done, as the host said; 0 when it did not.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    changed = end_attempt(record, ATTEMPT_OUTCOME_CANCELLED, None, now, ran=ran)
    _note_step(changed, step)
    asked = last_of(record.job, Event.CANCEL_REQUESTED)
    return append(changed, Event.CANCELLED, now, reason="CANCEL_REQUESTED", message=asked.message)


def _note_step(changed: JobRecord, step: int) -> None:
    if changed.job.attempt:
        changed.job.cancelled_at_step = max(step, changed.job.checkpoint.step)


def confirm_paused(record: JobRecord, *, attempt: int, now: datetime, ran: timedelta = NONE) -> JobRecord:
    """The host has stopped after a pause was asked for: PAUSED, or QUEUED when the job was resumed meanwhile.

    A cancellation that was asked for since wins.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
        InvalidTransition: when nobody asked for a pause.
    """
    check_attempt(record, attempt)
    if record.job.state == JOB_STATE_CANCELLING:
        return confirm_cancelled(record, attempt=attempt, now=now, ran=ran)
    if record.job.state != JOB_STATE_PAUSING:
        state = state_name(record.job.state)
        raise InvalidTransition(f"nobody asked to pause a job that is {state}", metadata={"state": state})
    changed = end_attempt(record, ATTEMPT_OUTCOME_PAUSED, None, now, ran=ran)
    asked = last_of(record.job, Event.PAUSE_REQUESTED)
    return settle_pause(changed, now, reason=PAUSE_REQUESTED, message=asked.message)


def use_up_run_time(record: JobRecord, *, attempt: int, now: datetime, ran: timedelta = NONE) -> JobRecord:
    """The host has stopped because the job's max_runtime is used up: PAUSED, until somebody resumes it.

    A cancellation that was asked for since wins, and so does a pause.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    if record.job.state != JOB_STATE_RUNNING:
        return confirm_paused(record, attempt=attempt, now=now, ran=ran)
    check_attempt(record, attempt)
    if not record.job.spec.policies.HasField("max_runtime"):
        message = f"{record.job.host} ended it for a max_runtime that the job does not have"
        return lose_attempt(record, attempt=attempt, now=now, reason="HOST_GAVE_UP", message=message, ran=ran)
    changed = end_attempt(record, ATTEMPT_OUTCOME_PAUSED, None, now, ran=ran)
    use_up(changed)
    return pause_used_up(changed, now)


def commit_checkpoint(record: JobRecord, *, host: str, checkpoint: Checkpoint, now: datetime) -> JobRecord:
    """Make a checkpoint the one that the next attempt starts from; the one before is kept beside it.

    Taken also while the job is being cancelled: nothing goes on from it then, but what was trained is kept.

    Raises:
        StaleAttempt: when the checkpoint's attempt is not the current one of this host.
    """
    check_holder(record, checkpoint.attempt, host)
    changed = copied(record)
    if changed.job.HasField("checkpoint"):
        changed.previous_checkpoint.CopyFrom(changed.job.checkpoint)
    changed.job.checkpoint.CopyFrom(checkpoint)
    changed.job.checkpoint.create_time.FromDatetime(steady(changed.job, now))
    return append(changed, Event.CHECKPOINTED, now)


def commit_result(record: JobRecord, *, host: str, result: JobResult, now: datetime) -> JobRecord:
    """Make a result the job's: EVALUATED, then SUCCEEDED, or EVAL_FAILED when a min_score is missed.

    A pause that was asked for before comes too late: what is finished is not thrown away for it.

    The caller has checked `committed_digest` for a repeat.

    Raises:
        StaleAttempt: when the result's attempt is not the current one of this host.
        JobCancelled: when a cancellation was acknowledged.
        AlreadySaved: when the job has a result.
    """
    if record.job.HasField("result"):
        raise AlreadySaved(f"{record.job.name} already has a result with digest {record.job.result.bundle.digest}")
    check_fence(record, result.attempt, host)
    missed = missed_scores(record.job.spec, result)
    took = result.summary.duration.ToTimedelta() if result.summary.HasField("duration") else NONE
    changed = end_attempt(record, ATTEMPT_OUTCOME_SUCCEEDED, None, now, ran=took)
    changed.job.result.CopyFrom(result)
    changed.job.result.commit_time.FromDatetime(steady(changed.job, now))
    changed.job.ClearField("failure")
    changed = append(changed, Event.EVALUATED, now)
    if not missed and record.job.state == JOB_STATE_PAUSING:
        return append(changed, Event.COMMITTED, now, reason="FINISHED_FIRST", message=_TOO_LATE_TO_PAUSE)
    if not missed:
        return append(changed, Event.COMMITTED, now)
    return append(changed, Event.MISSED_SCORE, now, reason="MIN_SCORE_MISSED", message="; ".join(missed))


def missed_scores(spec: JobSpec, result: JobResult) -> list[str]:
    """The min_scores of the eval_policy that a result does not reach, as sentences."""
    metrics = result.summary.metrics
    return [
        f"{name} is {metrics.get(name, 'not reported')}, at least {least} was asked for"
        for name, least in sorted(spec.eval_policy.min_scores.items())
        if not (name in metrics and metrics[name] >= least)
    ]


def fail_attempt(
    record: JobRecord, *, attempt: int, failure: Failure, now: datetime, ran: timedelta = NONE
) -> JobRecord:
    """The attempt failed: QUEUED again when the failure is TRANSIENT and tries are left, else FAILED.

    It is PAUSED instead of QUEUED when its max_runtime is used up. A cancellation that was asked for before is then
    done, and so is a pause unless the failure ends the job; a pause asks for no retry, so it uses up none.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    if record.job.state == JOB_STATE_CANCELLING:
        return confirm_cancelled(record, attempt=attempt, now=now, ran=ran)
    changed = end_attempt(record, ATTEMPT_OUTCOME_FAILED, failure, now, ran=ran)
    changed.job.failure.CopyFrom(failure)
    if failure.failure_class != FAILURE_CLASS_TRANSIENT:
        return append(changed, Event.FAILED, now, reason=failure.reason, message=failure.message)
    if record.job.state == JOB_STATE_PAUSING:
        return settle_pause(changed, now, reason=failure.reason, message=failure.message)
    changed.num_transient_failures += 1
    return _retry_or_fail(changed, Event.RETRIED, changed.num_transient_failures, _retries(record.job.spec), now)


def lose_attempt(
    record: JobRecord,
    *,
    attempt: int,
    now: datetime,
    reason: str = "HOST_LOST",
    message: str = "",
    ran: timedelta = NONE,
) -> JobRecord:
    """The host does not run the attempt any more: QUEUED again within the budget for losses, else FAILED.

    A job that was saved further since its last loss gets on, and its budget begins anew. It is PAUSED instead of QUEUED
    when its max_runtime is used up. A pause or cancellation that was asked for before is then done.

    Args:
        record: as read.
        attempt: the fence.
        now: the moment of the decision.
        reason: why; without one, its lease expired unheard.
        message: the same for people; empty for the usual sentence.
        ran: how long it was at work, as last heard.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    if record.job.state == JOB_STATE_CANCELLING:
        return confirm_cancelled(record, attempt=attempt, now=now, ran=ran)
    failure = Failure(
        failure_class=FAILURE_CLASS_TRANSIENT,
        reason=reason,
        message=message or f"{record.job.host} was not heard of for longer than its lease",
    )
    changed = end_attempt(record, ATTEMPT_OUTCOME_LOST, failure, now, ran=ran)
    changed.job.failure.CopyFrom(failure)
    if record.job.state == JOB_STATE_PAUSING:
        return settle_pause(changed, now, reason=failure.reason, message=failure.message)
    got_on = changed.job.checkpoint.step > changed.step_at_loss
    changed.num_losses = 1 if got_on else changed.num_losses + 1
    changed.step_at_loss = max(changed.step_at_loss, changed.job.checkpoint.step)
    return _retry_or_fail(changed, Event.MOVED, changed.num_losses, LOSSES_MAX, now)


def _retry_or_fail(changed: JobRecord, event: Event, failures: int, retries_max: int, now: datetime) -> JobRecord:
    failure = changed.job.failure
    decision = decide(RetryPolicy(retries_max), failures, now=steady(changed.job, now))
    if isinstance(decision, GiveUp):
        failure.message = f"{failure.message} (after {failures} such failures: {_reasons(changed.job)})"
        return append(changed, Event.FAILED, now, reason="ATTEMPTS_EXHAUSTED", message=failure.message)
    if is_used_up(changed):
        return pause_used_up(changed, now)
    if event is Event.RETRIED:
        changed.not_before_time.FromDatetime(decision.not_before_time)
    return append(changed, event, now, reason=failure.reason, message=failure.message)


def _reasons(job: Job) -> str:
    """What each attempt failed of (P19)."""
    failed = [one for one in job.attempts if one.failure.reason]
    return ", ".join(f"attempt {one.number} {one.failure.reason}" for one in failed)


def _retries(spec: JobSpec) -> int:
    return spec.policies.retry_max if spec.policies.HasField("retry_max") else RETRY_MAX_DEFAULT


def committed_digest(record: JobRecord) -> str:
    """Digest of the committed bundle; empty when there is none."""
    return record.job.result.bundle.digest if record.job.HasField("result") else ""
