"""A job in each of its states, as its life leads there."""

from headway.contract import transitions
from headway.contract.pausing import request_pause
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record, a_spec
from headway.v1.job_specs_pb2 import EvalPolicy, JobSpec, Policies
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_USER_INPUT,
    Bundle,
    Checkpoint,
    Failure,
    JobResult,
    JobState,
    ResultSummary,
)
from headway.v1.records_pb2 import JobRecord

HOST = "hosts/anton"


def wished(changed: JobRecord | None) -> JobRecord:
    assert changed is not None, "the wish changes something"
    return changed


def saved(record: JobRecord, step: int) -> JobRecord:
    """With a checkpoint of its current attempt."""
    digest = f"sha256:{step:064x}"
    checkpoint = Checkpoint(attempt=record.job.attempt, step=step, bundle=Bundle(digest=digest))
    return transitions.commit_checkpoint(record, host=HOST, checkpoint=checkpoint, now=A_MOMENT)


def pausing(record: JobRecord) -> JobRecord:
    return wished(request_pause(record, message="for the night", now=A_MOMENT))


def cancelling(record: JobRecord) -> JobRecord:
    return wished(transitions.request_cancel(record, message="not needed", now=A_MOMENT))


def finished(record: JobRecord, score: float = 1.0) -> JobRecord:
    summary = ResultSummary(metrics={"accuracy": score})
    version = "projects/demo/models/iris/versions/1" if score >= 0.5 else ""
    result = JobResult(
        attempt=record.job.attempt, bundle=Bundle(digest="sha256:" + "a" * 64), summary=summary, model_version=version
    )
    return transitions.commit_result(record, host=HOST, result=result, now=A_MOMENT)


def failed(record: JobRecord) -> JobRecord:
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="NO_SUCH_COLUMN", message="no column species")
    return transitions.fail_attempt(record, attempt=record.job.attempt, failure=failure, now=A_MOMENT)


def lives(policies: Policies | None = None) -> dict[str, JobRecord]:
    """A record in each state, by the state's name; those that a host held were saved at step 7."""
    spec = _picky(policies)
    queued = a_record(spec)
    running = saved(a_claimed_record(queued), 7)
    paused = transitions.confirm_paused(pausing(running), attempt=1, now=A_MOMENT)
    cancelled = transitions.confirm_cancelled(cancelling(running), attempt=1, now=A_MOMENT, step=9)
    found = (
        *(queued, running, pausing(running), paused, cancelling(running)),
        *(finished(running), failed(running), cancelled, finished(running, score=0.1)),
    )
    by_name = {JobState.Name(record.job.state).removeprefix("JOB_STATE_"): record for record in found}
    assert len(by_name) == len(JobState.keys()) - 1, "every state but the one that is never stored"
    return by_name


def _picky(policies: Policies | None) -> JobSpec:
    spec = a_spec(policies=policies)
    spec.eval_policy.CopyFrom(EvalPolicy(min_scores={"accuracy": 0.5}))
    return spec
