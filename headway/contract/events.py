"""CloudEvents, derived from records: pure builders from a job's transition to subject, message id and body.

Structured JSON mode, as the released NATS binding of CloudEvents 1.0 says; `data` is the proto3 JSON of a message of
events.proto. The id is the message id, `<job>:<transition number>`, so that JetStream and consumers can drop repeats.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from headway.contract.ids import HostName, JobName, ModelVersionName
from headway.contract.modes import mode_name
from headway.contract.specs import tabular_train
from headway.contract.states import Event, outward_event
from headway.contract.subjects import host_event_subject, job_event_subject, model_event_subject, progress_subject
from headway.contract.times import moment, rfc3339
from headway.v1 import events_pb2 as events
from headway.v1.hosts_pb2 import Host
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_USER_INPUT,
    Attempt,
    AttemptPhase,
    FailureClass,
    Job,
    Progress,
    Transition,
)
from headway.v1.models_pb2 import ModelVersion

SOURCE = "/headway"
CONTENT_TYPE = "application/cloudevents+json"
UNKNOWN_ETA_SECONDS = -1.0


@dataclass(frozen=True, slots=True)
class OutwardEvent:
    """One event, ready to be published.

    Attributes:
        subject: NATS subject.
        message_id: JetStream message id and CloudEvents id; empty for progress, which is not deduplicated.
        body: the CloudEvent as JSON, UTF-8.
    """

    subject: str
    message_id: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers to publish it with: they tell a reader of any transport what the body is."""
        return {"Content-Type": CONTENT_TYPE}


JobEventData = (
    events.JobQueuedEvent
    | events.JobStartedEvent
    | events.JobCheckpointEvent
    | events.JobEvaluatedEvent
    | events.JobPausedEvent
    | events.JobResumedEvent
    | events.JobMovedEvent
    | events.JobCompletedEvent
    | events.JobFailedEvent
    | events.JobCancelledEvent
    | events.JobProgressEvent
)


def job_event(job: Job, transition: Transition) -> OutwardEvent | None:
    """The event of one transition; None where the transition is internal.

    Args:
        job: the newest record's job; it may be newer than the transition.
        transition: one of its transitions.
    """
    name = JobName.parse(job.name)
    outward = outward_event(Event(transition.event))
    if outward is None:
        return None
    data = _BUILDERS[outward](job, transition)
    _fill_common(data, job, name, attempt=transition.attempt, host=transition.host, sequence=transition.number)
    message_id = f"{name.job_id}:{transition.number}"
    body = _cloud_event(f"trainer.train.{outward}.v1", message_id, job.name, moment(transition.occur_time), data)
    return OutwardEvent(job_event_subject(outward, name.project, name.job_id), message_id, body)


def progress_event(job: Job, host: str, progress: Progress) -> OutwardEvent:
    """The event of some progress, with an id of its own each; `host` is `hosts/{host}`."""
    name = JobName.parse(job.name)
    data = events.JobProgressEvent(
        phase=AttemptPhase.Name(progress.phase).removeprefix("ATTEMPT_PHASE_").lower(),
        message=progress.message,
        epoch=progress.epoch,
        total_epochs=progress.total_epochs,
        step=progress.step,
        total_steps=progress.total_steps,
        loss=progress.loss,
        learning_rate=progress.learning_rate,
        samples_per_second=progress.samples_per_second,
        eta_seconds=progress.eta.ToNanoseconds() / 1e9 if progress.HasField("eta") else UNKNOWN_ETA_SECONDS,
        memory=progress.memory_bytes,
    )
    _fill_common(data, job, name, attempt=progress.attempt, host=host, sequence=0)
    measured = moment(progress.measure_time)
    event_id = f"{name.job_id}:progress:{progress.attempt}:{progress.measure_time.ToNanoseconds()}"
    body = _cloud_event("trainer.train.progress.v1", event_id, job.name, measured, data)
    return OutwardEvent(progress_subject(name.project, name.job_id), "", body)


def model_registered_event(version: ModelVersion) -> OutwardEvent:
    """The event of a new model version."""
    name = ModelVersionName.parse(version.name)
    data = events.ModelRegisteredEvent(
        model_version=version.name,
        number=version.number,
        run_id=name.version,
        project=name.project,
        digest=version.bundle.digest,
        headline_metric=version.summary.headline_metric,
        headline_value=version.summary.headline_value,
    )
    message_id = f"{name.project}/{name.model_id}:{name.version}:registered"
    created = moment(version.create_time)
    body = _cloud_event("trainer.model.registered.v1", message_id, version.name, created, data)
    return OutwardEvent(model_event_subject("registered", name.project, name.model_id), message_id, body)


def host_event(event: str, host: Host, message: str, *, now: datetime) -> OutwardEvent:
    """The event `joined`, `drained` or `lost` of a host's boot; at most one of each a boot."""
    host_id = HostName.parse(host.name).host_id
    data = events.HostEvent(host=host_id, boot_id=host.boot_id, mode=mode_name(host.mode), message=message)
    message_id = f"{host_id}:{host.boot_id}:{event}"
    body = _cloud_event(f"trainer.host.{event}.v1", message_id, host.name, now, data)
    return OutwardEvent(host_event_subject(event, host_id), message_id, body)


def transition_number(message_id: str) -> int:
    """The transition that a job event's message id names; 0 when it names none."""
    _, _, number = message_id.rpartition(":")
    return int(number) if number.isdecimal() else 0


def _cloud_event(event_type: str, event_id: str, subject: str, occurred: datetime, data: Message) -> bytes:
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": event_type,
        "subject": subject,
        "time": rfc3339(occurred),
        "datacontenttype": "application/json",
        "data": MessageToDict(data, preserving_proto_field_name=True, always_print_fields_with_no_presence=True),
    }
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode()


def _fill_common(data: JobEventData, job: Job, name: JobName, *, attempt: int, host: str, sequence: int) -> None:
    data.request_id = name.job_id
    data.run_id = name.job_id
    data.user_id = job.user_id
    data.project = name.project
    data.kind = job.kind
    data.attempt = attempt
    data.host = host.removeprefix("hosts/")
    data.sequence = sequence


def _queued(job: Job, transition: Transition) -> JobEventData:
    return events.JobQueuedEvent(
        display_name=job.spec.display_name,
        priority=job.spec.priority,
        requested_mode=mode_name(job.spec.execution_mode),
        reason=transition.reason,
    )


def _started(job: Job, transition: Transition) -> JobEventData:
    attempt = next((entry for entry in job.attempts if entry.number == transition.attempt), Attempt())
    data = events.JobStartedEvent(
        queue="default",
        mode=mode_name(attempt.mode),
        fallback_reason=transition.message,
        device=attempt.device,
        cpu_cores=attempt.num_cpu_cores,
        memory_mb=attempt.memory_mib,
    )
    if job.spec.HasField("tabular_train"):
        _describe_tabular(data, job)
    return data


def _describe_tabular(data: events.JobStartedEvent, job: Job) -> None:
    training = tabular_train.resolve(job.spec.tabular_train)
    data.model_family = training.training_mode
    if training.training_mode != tabular_train.LINEAR:
        data.model_size = f"{training.num_hidden_layers}x{training.hidden_dim}"
    data.total_epochs = training.epochs
    data.batch_size = training.batch_size
    data.learning_rate = training.learning_rate


def _checkpoint(job: Job, _: Transition) -> JobEventData:
    bundle = job.checkpoint.bundle
    return events.JobCheckpointEvent(
        step=job.checkpoint.step,
        digest=bundle.digest,
        size_bytes=sum(artifact.size_bytes for artifact in bundle.artifacts),
    )


def _evaluated(job: Job, _: Transition) -> JobEventData:
    return events.JobEvaluatedEvent(metrics=dict(job.result.summary.metrics))


def _paused(job: Job, _: Transition) -> JobEventData:
    return events.JobPausedEvent(step=job.checkpoint.step)


def _resumed(_: Job, transition: Transition) -> JobEventData:
    return events.JobResumedEvent(reason=transition.reason)


def _moved(_: Job, transition: Transition) -> JobEventData:
    return events.JobMovedEvent(reason=transition.reason, message=transition.message)


def _completed(job: Job, _: Transition) -> JobEventData:
    summary = job.result.summary
    return events.JobCompletedEvent(
        loss=dict(summary.metrics).get("train_loss", math.nan),
        headline_metric=summary.headline_metric,
        headline_value=summary.headline_value,
        artifact=job.result.model_version or job.result.bundle.digest,
        duration_seconds=summary.duration.ToNanoseconds() / 1e9,
        predicted_duration_seconds=job.admission.estimated_duration.ToNanoseconds() / 1e9,
    )


def _failed(job: Job, transition: Transition) -> JobEventData:
    failure_class = job.failure.failure_class
    missed_score = transition.event == Event.MISSED_SCORE
    is_users = missed_score or failure_class == FAILURE_CLASS_USER_INPUT
    return events.JobFailedEvent(
        error_kind="user" if is_users else "system",
        failure_class="" if missed_score else FailureClass.Name(failure_class).removeprefix("FAILURE_CLASS_"),
        reason=transition.reason,
        message=transition.message,
        status="eval_failed" if missed_score else "failed",
    )


def _cancelled(job: Job, transition: Transition) -> JobEventData:
    return events.JobCancelledEvent(
        reason=transition.reason,
        message=transition.message,
        status="cancelled",
        cancelled_at_step=job.checkpoint.step,
    )


_BUILDERS: dict[str, Callable[[Job, Transition], JobEventData]] = {
    "queued": _queued,
    "started": _started,
    "checkpoint": _checkpoint,
    "evaluated": _evaluated,
    "paused": _paused,
    "resumed": _resumed,
    "moved": _moved,
    "completed": _completed,
    "failed": _failed,
    "cancelled": _cancelled,
}
