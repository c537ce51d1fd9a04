"""One event of every type and turn, made by today's builders from records that today's transitions made."""

from collections.abc import Iterator
from datetime import timedelta

from headway.contract import transitions
from headway.contract.cloud_events import OutwardEvent
from headway.contract.events import host_event, job_event, model_change_event, model_registered_event, progress_event
from headway.contract.log_events import log_events
from headway.contract.pausing import request_pause, request_resume
from headway.contract.times import duration, timestamp
from headway.testing.builders import A_DIGEST, A_MOMENT, a_claimed_record, a_host, a_record
from headway.v1.job_specs_pb2 import EvalPolicy, JobSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_TRAINING,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    Artifact,
    Bundle,
    Checkpoint,
    Failure,
    JobResult,
    Progress,
    ResultSummary,
)
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord

JOB_ID = "j" + "a" * 25
MODEL_VERSION = f"projects/demo/models/iris/versions/{JOB_ID}"
OLDER_VERSION = f"projects/demo/models/iris/versions/j{'b' * 25}"
HOST = "hosts/anton"
_A_BUNDLE = Bundle(digest=A_DIGEST, artifacts=[Artifact(path="model.safetensors", size_bytes=4096)])
_LATER = A_MOMENT + timedelta(seconds=90)


def all_samples() -> list[OutwardEvent]:
    """Every one; those of jobs in the order of their lives."""
    lives = (_a_success(), _a_missed_score(), _a_failure(), _a_cancellation(), _a_pause(), _a_move_and_a_retry())
    of_jobs = [event for record in lives for event in life_of(record)]
    return [*of_jobs, *_of_models(), *_of_hosts(), *_lossy()]


def life_of(record: JobRecord) -> list[OutwardEvent]:
    """Every event of a job."""
    told = (job_event(record.job, transition) for transition in record.job.transitions)
    return [event for event in told if event is not None]


def _claimed(spec: JobSpec | None = None) -> JobRecord:
    return a_claimed_record(a_record(spec, job_id=JOB_ID))


def _a_result() -> JobResult:
    metrics = {"accuracy": 0.9667, "train_loss": 0.0625}
    summary = ResultSummary(
        metrics=metrics, headline_metric="accuracy", headline_value=0.9667, duration=duration(timedelta(seconds=8.5))
    )
    return JobResult(attempt=1, bundle=_A_BUNDLE, summary=summary, model_version=MODEL_VERSION)


def _a_success() -> JobRecord:
    checkpoint = Checkpoint(attempt=1, step=120, bundle=_A_BUNDLE)
    saved = transitions.commit_checkpoint(_claimed(), host=HOST, checkpoint=checkpoint, now=_LATER)
    return transitions.commit_result(saved, host=HOST, result=_a_result(), now=_LATER)


def _a_missed_score() -> JobRecord:
    record = _claimed()
    record.job.spec.eval_policy.CopyFrom(EvalPolicy(min_scores={"accuracy": 0.99}))
    return transitions.commit_result(record, host=HOST, result=_a_result(), now=_LATER)


def _a_failure() -> JobRecord:
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="DEGENERATE_TARGET", message="one class only")
    return transitions.fail_attempt(_claimed(), attempt=1, failure=failure, now=_LATER)


def _a_cancellation() -> JobRecord:
    asked = transitions.request_cancel(_claimed(), message="no longer needed", now=_LATER)
    assert asked is not None
    return transitions.confirm_cancelled(asked, attempt=1, now=_LATER)


def _a_pause() -> JobRecord:
    paused = request_pause(a_record(job_id=JOB_ID), message="the machine is needed", now=A_MOMENT)
    assert paused is not None
    resumed = request_resume(paused, message="it is free again", now=_LATER)
    assert resumed is not None
    return resumed


def _a_move_and_a_retry() -> JobRecord:
    moved = a_claimed_record(transitions.lose_attempt(_claimed(), attempt=1, now=_LATER), now=_LATER)
    failure = Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="OUT_OF_MEMORY", message="the host has too little")
    return transitions.fail_attempt(moved, attempt=2, failure=failure, now=_LATER)


def _of_models() -> Iterator[OutwardEvent]:
    summary = ResultSummary(headline_metric="accuracy", headline_value=0.9667)
    version = ModelVersion(
        name=MODEL_VERSION, number=2, bundle=_A_BUNDLE, summary=summary, create_time=timestamp(A_MOMENT)
    )
    older = ModelVersion(name=OLDER_VERSION, number=1)
    yield model_registered_event(version)
    yield model_change_event(version, OLDER_VERSION, event="promoted", sequence=2, user_id="ada", now=A_MOMENT)
    yield model_change_event(older, MODEL_VERSION, event="rolled_back", sequence=3, user_id="ada", now=_LATER)


def _of_hosts() -> Iterator[OutwardEvent]:
    for event in ("joined", "drained", "lost"):
        host = a_host()
        host.join_time.CopyFrom(timestamp(A_MOMENT))
        yield host_event(event, host, "a sentence", now=_LATER)


def _lossy() -> Iterator[OutwardEvent]:
    progress = Progress(
        attempt=1,
        phase=ATTEMPT_PHASE_TRAINING,
        message="epoch 3 of 50",
        epoch=3,
        total_epochs=50,
        step=120,
        total_steps=2000,
        loss=float("nan"),
        learning_rate=0.001,
        samples_per_second=12_500.5,
        memory_bytes=734_003_200,
        eta=duration(timedelta(seconds=42.5)),
        measure_time=timestamp(_LATER),
    )
    job = _claimed().job
    yield progress_event(job, HOST, progress)
    line = LogLine(number=1, attempt=1, level="info", message="Step 1: Loading data", log_time=timestamp(_LATER))
    line.fields["rows"] = "150"
    second = LogLine(number=2, attempt=1, level="warning", message="3 rows dropped", log_time=timestamp(_LATER))
    yield from log_events(job, HOST, 1, [line, second])
