"""Every change of a job, as pure functions from one record to the next.

Each takes the record as read and `now`, and returns a new record with its transition appended, ready for a
compare-and-set; none changes its argument. The table of moves is `states.TABLE`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from headway.contract.errors import AlreadySaved, JobCancelled, StaleAttempt
from headway.contract.host_facts import HostFacts
from headway.contract.limits import ATTEMPTS_KEPT, LOSSES_MAX, RETRY_MAX_DEFAULT, TRANSITIONS_KEPT
from headway.contract.retry import GiveUp, RetryPolicy, decide
from headway.contract.states import Event, is_held, is_terminal, next_state, state_name
from headway.contract.times import timestamp
from headway.v1.job_specs_pb2 import ExecutionMode, JobSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    DESIRED_STATE_CANCEL,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_UNSPECIFIED,
    Admission,
    Attempt,
    AttemptOutcome,
    Checkpoint,
    Failure,
    Job,
    JobResult,
    PinnedInput,
    Transition,
)
from headway.v1.records_pb2 import JobRecord


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
    )
    record = JobRecord(
        job=job,
        request_digest=submission.request_digest,
        inputs=submission.inputs,
        next_transition=1,
        model_id=submission.model_id,
        key_id=submission.key_id,
    )
    return _append(record, Event.SUBMITTED, now)


def claim(
    record: JobRecord, *, host: HostFacts, mode: "ExecutionMode.ValueType", fallback_reason: str, now: datetime
) -> JobRecord:
    """Give the job to a host: RUNNING, with the next attempt number as the fence.

    Raises:
        InvalidTransition: unless the job is QUEUED.
    """
    changed = _copy(record)
    job = changed.job
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
    return _append(changed, Event.CLAIMED, now, message=fallback_reason)


def request_cancel(record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
    """Record the wish to stop. A job that no host holds is CANCELLED at once, another CANCELLING.

    Returns:
        None when the job is CANCELLING or CANCELLED already.

    Raises:
        InvalidTransition: when the job is over in another way.
    """
    if record.job.state in (JOB_STATE_CANCELLING, JOB_STATE_CANCELLED):
        return None
    changed = _copy(record)
    changed.job.desired = DESIRED_STATE_CANCEL
    event = Event.CANCEL_REQUESTED if is_held(record.job.state) else Event.CANCELLED
    return _append(changed, event, now, reason="CANCEL_REQUESTED", message=message)


def confirm_cancelled(record: JobRecord, *, attempt: int, now: datetime) -> JobRecord:
    """The host has stopped, for whatever reason, after a cancellation was asked for: CANCELLED.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    changed = _end_attempt(record, ATTEMPT_OUTCOME_CANCELLED, None, now)
    asked = next((t for t in reversed(record.job.transitions) if t.event == Event.CANCEL_REQUESTED), Transition())
    return _append(changed, Event.CANCELLED, now, reason="CANCEL_REQUESTED", message=asked.message)


def commit_checkpoint(record: JobRecord, *, host: str, checkpoint: Checkpoint, now: datetime) -> JobRecord:
    """Make a checkpoint the one that the next attempt starts from.

    Raises:
        StaleAttempt: when the checkpoint's attempt is not the current one of this host.
        JobCancelled: when a cancellation was acknowledged.
    """
    check_fence(record, checkpoint.attempt, host)
    changed = _copy(record)
    changed.job.checkpoint.CopyFrom(checkpoint)
    changed.job.checkpoint.create_time.FromDatetime(now)
    return _append(changed, Event.CHECKPOINTED, now)


def commit_result(record: JobRecord, *, host: str, result: JobResult, now: datetime) -> JobRecord:
    """Make a result the job's: EVALUATED, then SUCCEEDED, or EVAL_FAILED when a min_score is missed.

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
    changed = _end_attempt(record, ATTEMPT_OUTCOME_SUCCEEDED, None, now)
    changed.job.result.CopyFrom(result)
    changed.job.result.commit_time.FromDatetime(now)
    changed.job.ClearField("failure")
    changed = _append(changed, Event.EVALUATED, now)
    if not missed:
        return _append(changed, Event.COMMITTED, now)
    return _append(changed, Event.MISSED_SCORE, now, reason="MIN_SCORE_MISSED", message="; ".join(missed))


def missed_scores(spec: JobSpec, result: JobResult) -> list[str]:
    """The min_scores of the eval_policy that a result does not reach, as sentences."""
    metrics = result.summary.metrics
    return [
        f"{name} is {metrics.get(name, 'not reported')}, at least {least} was asked for"
        for name, least in sorted(spec.eval_policy.min_scores.items())
        if not (name in metrics and metrics[name] >= least)
    ]


def fail_attempt(record: JobRecord, *, attempt: int, failure: Failure, now: datetime) -> JobRecord:
    """The attempt failed: QUEUED again when the failure is TRANSIENT and tries are left, else FAILED.

    A pause or cancellation that was asked for before is then done.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    if record.job.state == JOB_STATE_CANCELLING:
        return confirm_cancelled(record, attempt=attempt, now=now)
    changed = _end_attempt(record, ATTEMPT_OUTCOME_FAILED, failure, now)
    changed.job.failure.CopyFrom(failure)
    if failure.failure_class != FAILURE_CLASS_TRANSIENT:
        return _append(changed, Event.FAILED, now, reason=failure.reason, message=failure.message)
    changed.num_transient_failures += 1
    return _retry_or_fail(changed, Event.RETRIED, changed.num_transient_failures, _retries(record.job.spec), now)


def lose_attempt(
    record: JobRecord, *, attempt: int, now: datetime, reason: str = "HOST_LOST", message: str = ""
) -> JobRecord:
    """The host does not run the attempt any more: QUEUED again within the budget for losses, else FAILED.

    Args:
        record: as read.
        attempt: the fence.
        now: the moment of the decision.
        reason: why; without one, its lease expired unheard.
        message: the same for people; empty for the usual sentence.

    Raises:
        StaleAttempt: when `attempt` is not the current one.
    """
    check_attempt(record, attempt)
    if record.job.state == JOB_STATE_CANCELLING:
        return confirm_cancelled(record, attempt=attempt, now=now)
    failure = Failure(
        failure_class=FAILURE_CLASS_TRANSIENT,
        reason=reason,
        message=message or f"{record.job.host} was not heard of for longer than its lease",
    )
    changed = _end_attempt(record, ATTEMPT_OUTCOME_LOST, failure, now)
    changed.job.failure.CopyFrom(failure)
    changed.num_losses += 1
    return _retry_or_fail(changed, Event.MOVED, changed.num_losses, LOSSES_MAX, now)


def _retry_or_fail(changed: JobRecord, event: Event, failures: int, retries_max: int, now: datetime) -> JobRecord:
    failure = changed.job.failure
    if changed.job.state == JOB_STATE_PAUSING:
        return _append(changed, Event.PAUSED, now, reason=failure.reason, message=failure.message)
    decision = decide(RetryPolicy(retries_max), failures, now=now)
    if isinstance(decision, GiveUp):
        failure.message = f"{failure.message} (after {failures} such failures)"
        return _append(changed, Event.FAILED, now, reason="ATTEMPTS_EXHAUSTED", message=failure.message)
    if event is Event.RETRIED:
        changed.not_before_time.FromDatetime(decision.not_before_time)
    return _append(changed, event, now, reason=failure.reason, message=failure.message)


def _retries(spec: JobSpec) -> int:
    return spec.policies.retry_max if spec.policies.HasField("retry_max") else RETRY_MAX_DEFAULT


def committed_digest(record: JobRecord) -> str:
    """Digest of the committed bundle; empty when there is none."""
    return record.job.result.bundle.digest if record.job.HasField("result") else ""


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
    check_attempt(record, attempt)
    if job.host != host:
        raise StaleAttempt(
            f"attempt {attempt} of {job.name} belongs to {job.host}, not to {host}", metadata={"job": job.name}
        )


def _copy(record: JobRecord) -> JobRecord:
    copy = JobRecord()
    copy.CopyFrom(record)
    return copy


def _end_attempt(
    record: JobRecord, outcome: "AttemptOutcome.ValueType", failure: Failure | None, now: datetime
) -> JobRecord:
    changed = _copy(record)
    attempt = changed.job.attempts[-1]
    attempt.outcome = outcome
    attempt.end_time.FromDatetime(now)
    if failure is not None:
        attempt.failure.CopyFrom(failure)
    return changed


def _append(record: JobRecord, event: Event, now: datetime, *, reason: str = "", message: str = "") -> JobRecord:
    """Move the record's job by `event`; `record` is this module's own copy and is changed in place."""
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
