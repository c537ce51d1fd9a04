"""From the scheduler's words to the child's, and back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf.json_format import MessageToJson

from headway.contract.errors import InvalidName
from headway.contract.times import duration, timestamp
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import Artifact, AttemptPhase, Bundle, FailureClass, Progress, ResultSummary
from headway.v1.results_service_pb2 import CommitResultRequest
from headway.v1.scheduler_service_pb2 import AttemptOrder
from trainer_host import child_messages
from trainer_host.attempt_failure import AttemptFailed
from trainer_host.stop_request import StopReason


def run_message(
    order: AttemptOrder,
    *,
    host: str,
    inputs: tuple[child_messages.InputFile, ...],
    work_dir: Path,
    checkpoints: child_messages.CheckpointOrder,
) -> child_messages.RunAttempt:
    """An order as the child hears it."""
    return child_messages.RunAttempt(
        job=order.job,
        attempt=order.attempt,
        host=host,
        kind=order.kind,
        spec_json=MessageToJson(order.spec, preserving_proto_field_name=True, indent=None),
        mode="LOCAL" if order.mode == EXECUTION_MODE_LOCAL else "HOST",
        inputs=inputs,
        work_dir=str(work_dir),
        user_id=order.user_id,
        checkpoints=checkpoints,
    )


def stop_message(reason: StopReason) -> child_messages.Stop:
    """A stop as the child hears it; that the agent ends is for it as if it made room."""
    match reason:
        case StopReason.PAUSE | StopReason.CANCEL | StopReason.STALE:
            return child_messages.Stop(reason=reason.value)
        case StopReason.MAX_RUNTIME:
            return child_messages.Stop(reason="PAUSE")
        case StopReason.PREEMPT | StopReason.HOST_STOPPED | StopReason.ORPHANED:
            return child_messages.Stop(reason="PREEMPT")


def progress_of(message: child_messages.Progress, attempt: int) -> Progress:
    """The child's progress as the platform says it."""
    progress = Progress(
        attempt=attempt,
        phase=AttemptPhase.Value(f"ATTEMPT_PHASE_{message.phase}"),
        message=message.message,
        epoch=message.epoch,
        total_epochs=message.total_epochs,
        step=message.step,
        total_steps=message.total_steps,
        loss=message.loss,
        best_loss=message.best_loss,
        learning_rate=message.learning_rate,
        samples_per_second=message.samples_per_second,
        memory_bytes=message.memory_bytes,
        measure_time=timestamp(moment_of(message.measure_time)),
    )
    if message.eta_seconds is not None:
        progress.eta.CopyFrom(duration(timedelta(seconds=message.eta_seconds)))
    return progress


def moment_of(seconds: float) -> datetime:
    """Seconds since the epoch, as the child's clock told them."""
    return datetime.fromtimestamp(seconds, UTC)


def failure_of(message: child_messages.Failed) -> AttemptFailed:
    """Why the recipe gave up."""
    return AttemptFailed(
        FailureClass.Value(f"FAILURE_CLASS_{message.failure_class}"), message.reason, message.message, step=message.step
    )


def commit_request(order: AttemptOrder, *, host: str, finished: child_messages.Finished) -> CommitResultRequest:
    """What the gateway is to make the job's result.

    Raises:
        InvalidName: a path in the bundle leaves its folder; a child is not trusted with the host's files.
    """
    for file in finished.artifacts:
        if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
            raise InvalidName(f"the bundle names a file outside of its folder: {file.path}")
    artifacts = [Artifact(**file.model_dump()) for file in finished.artifacts]
    return CommitResultRequest(
        job=order.job,
        attempt=order.attempt,
        host=host,
        bundle=Bundle(digest=finished.manifest_digest, artifacts=artifacts),
        summary=_summary(finished.summary),
    )


def _summary(summary: child_messages.Summary) -> ResultSummary:
    return ResultSummary(
        task=summary.task,
        metrics=summary.metrics,
        headline_metric=summary.headline_metric,
        headline_value=summary.headline_value,
        num_steps=summary.num_steps,
        duration=duration(timedelta(seconds=summary.duration_seconds)),
        warnings=summary.warnings,
    )
