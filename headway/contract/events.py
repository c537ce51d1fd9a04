"""Events, derived from records: pure builders from a job's transition to subject, message id and body.

The id is the message id, `<job>:<transition number>`, so that JetStream and consumers can drop repeats. Which events
there are is the table of `event_catalogue`; their envelope is made in `cloud_events`.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from headway.contract.cloud_events import Clean, Envelope, OutwardEvent, as_written, cloud_event, fill_common
from headway.contract.event_catalogue import LifeEventData, type_of
from headway.contract.ids import HostName, JobName, ModelVersionName
from headway.contract.modes import mode_name
from headway.contract.priority import base_priority
from headway.contract.specs import tabular_distill, tabular_train
from headway.contract.states import Event, outward_event
from headway.contract.subjects import host_event_subject, job_event_subject, model_event_subject, progress_subject
from headway.contract.times import moment
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

MODEL_CHANGES: Mapping[str, type[events.ModelPromotedEvent] | type[events.ModelRolledBackEvent]] = MappingProxyType(
    {"promoted": events.ModelPromotedEvent, "rolled_back": events.ModelRolledBackEvent}
)
UNKNOWN_ETA_SECONDS = -1.0
_TOLD = frozenset(event.value for event in Event if outward_event(event) is not None)


def job_event(job: Job, transition: Transition, clean: Clean = as_written, *, previous: int = 0) -> OutwardEvent | None:
    """The event of one transition; None where the transition is internal.

    Args:
        job: the newest record's job; it may be newer than the transition.
        transition: one of its transitions.
        clean: takes secrets and paths out of names and errors.
        previous: number of the transition that was told before this one; 0 where only the job's history can tell.
    """
    name = JobName.parse(job.name)
    outward = outward_event(Event(transition.event))
    if outward is None:
        return None
    data = _BUILDERS[outward](job, transition)
    fill_common(data, job, attempt=transition.attempt, host=transition.host, sequence=transition.number)
    data.previous_sequence = previous or _previous_sequence(job, transition)
    message_id = f"{name.job_id}:{transition.number}"
    about = Envelope(type_of("train", outward), message_id, job.name, moment(transition.occur_time))
    subject = job_event_subject(outward, name.project, name.job_id)
    return OutwardEvent(subject, message_id, cloud_event(about, data, clean))


def progress_event(job: Job, host: str, progress: Progress, clean: Clean = as_written) -> OutwardEvent:
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
    fill_common(data, job, attempt=progress.attempt, host=host, sequence=0)
    event_id = f"{name.job_id}:progress:{progress.attempt}:{progress.measure_time.ToNanoseconds()}"
    about = Envelope(type_of("train", "progress"), event_id, job.name, moment(progress.measure_time))
    return OutwardEvent(progress_subject(name.project, name.job_id), "", cloud_event(about, data, clean))


def model_registered_event(version: ModelVersion, clean: Clean = as_written) -> OutwardEvent:
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
    about = Envelope(type_of("model", "registered"), message_id, version.name, moment(version.create_time))
    subject = model_event_subject("registered", name.project, name.model_id)
    return OutwardEvent(subject, message_id, cloud_event(about, data, clean))


def model_change_event(
    version: ModelVersion, previous: str, *, event: str, sequence: int, user_id: str, now: datetime
) -> OutwardEvent:
    """The event of another version coming into use.

    Args:
        version: the one that is used from now on.
        previous: name of the one used before; empty when there was none.
        event: `promoted` or `rolled_back`.
        sequence: number of this change among those of the model, from 1.
        user_id: who asked for it.
        now: when it happened.
    """
    name = ModelVersionName.parse(version.name)
    data = MODEL_CHANGES[event](
        model_version=version.name,
        number=version.number,
        run_id=name.version,
        project=name.project,
        sequence=sequence,
        previous_model_version=previous,
        user_id=user_id,
    )
    message_id = f"{name.project}/{name.model_id}:{sequence}:{event}"
    about = Envelope(type_of("model", event), message_id, version.name, now)
    subject = model_event_subject(event, name.project, name.model_id)
    return OutwardEvent(subject, message_id, cloud_event(about, data, as_written))


def host_event(event: str, host: Host, message: str, *, now: datetime) -> OutwardEvent:
    """The event `joined`, `drained` or `lost` of a host's stay.

    A host that was lost may come back under the same boot: its next stay has a join_time of its own, and so has the id.
    """
    host_id = HostName.parse(host.name).host_id
    data = events.HostEvent(host=host_id, boot_id=host.boot_id, mode=mode_name(host.mode), message=message)
    message_id = f"{host_id}:{host.boot_id}:{host.join_time.ToMilliseconds()}:{event}"
    about = Envelope(type_of("host", event), message_id, host.name, now)
    return OutwardEvent(host_event_subject(event, host_id), message_id, cloud_event(about, data, as_written))


def job_id_of(message_id: str) -> str:
    """The job that a job event's message id names; empty when it names none."""
    return message_id.rpartition(":")[0]


def transition_number(message_id: str) -> int:
    """The transition that a job event's message id names; 0 when it names none."""
    _, _, number = message_id.rpartition(":")
    return int(number) if number.isdecimal() else 0


def _previous_sequence(job: Job, transition: Transition) -> int:
    """Number of the newest transition before this one that was told, as far as the history that is kept can tell."""
    earlier = [one for one in job.transitions if one.number < transition.number]
    told = [one.number for one in earlier if one.event in _TOLD]
    # A record keeps so many transitions and no more: behind the oldest one kept, the one before it is as good as known.
    is_cut = not told and job.transitions[0].number > 1
    return max(told, default=transition.number - 1 if is_cut else 0)


def _queued(job: Job, transition: Transition) -> LifeEventData:
    return events.JobQueuedEvent(
        display_name=job.spec.display_name,
        priority=base_priority(job),
        requested_mode=mode_name(job.spec.execution_mode),
        reason=transition.reason,
        message=transition.message,
    )


def _started(job: Job, transition: Transition) -> LifeEventData:
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
        training = tabular_train.resolve(job.spec.tabular_train)
        if training.training_mode != tabular_train.LINEAR:
            data.model_size = f"{training.num_hidden_layers}x{training.hidden_dim}"
        _describe_training(data, training)
    elif job.spec.HasField("tabular_distill"):
        # How large the student is, its teacher decides, whom nobody knows here.
        _describe_training(data, tabular_distill.resolve(job.spec.tabular_distill).training)
    return data


def _describe_training(data: events.JobStartedEvent, training: tabular_train.TabularTrain) -> None:
    data.model_family = training.training_mode
    data.total_epochs = training.epochs
    data.batch_size = training.batch_size
    data.learning_rate = training.learning_rate


def _checkpoint(job: Job, _: Transition) -> LifeEventData:
    bundle = job.checkpoint.bundle
    return events.JobCheckpointEvent(
        step=job.checkpoint.step,
        digest=bundle.digest,
        size_bytes=sum(artifact.size_bytes for artifact in bundle.artifacts),
    )


def _evaluated(job: Job, _: Transition) -> LifeEventData:
    return events.JobEvaluatedEvent(metrics=dict(job.result.summary.metrics))


def _paused(job: Job, transition: Transition) -> LifeEventData:
    return events.JobPausedEvent(step=job.checkpoint.step, reason=transition.reason, message=transition.message)


def _resumed(_: Job, transition: Transition) -> LifeEventData:
    return events.JobResumedEvent(reason=transition.reason, message=transition.message)


def _moved(_: Job, transition: Transition) -> LifeEventData:
    return events.JobMovedEvent(reason=transition.reason, message=transition.message)


def _completed(job: Job, transition: Transition) -> LifeEventData:
    summary = job.result.summary
    return events.JobCompletedEvent(
        loss=dict(summary.metrics).get("train_loss", math.nan),
        headline_metric=summary.headline_metric,
        headline_value=summary.headline_value,
        artifact=job.result.model_version or job.result.bundle.digest,
        duration_seconds=summary.duration.ToNanoseconds() / 1e9,
        predicted_duration_seconds=job.admission.estimated_duration.ToNanoseconds() / 1e9,
        reason=transition.reason,
        message=transition.message,
    )


def _failed(job: Job, transition: Transition) -> LifeEventData:
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


def _cancelled(job: Job, transition: Transition) -> LifeEventData:
    return events.JobCancelledEvent(
        reason=transition.reason,
        message=transition.message,
        status="cancelled",
        cancelled_at_step=job.checkpoint.step,
    )


_BUILDERS: dict[str, Callable[[Job, Transition], LifeEventData]] = {
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
