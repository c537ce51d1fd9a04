"""What is known of one run, from the gateway's answer and from progress since then. Pure."""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from headway.contract.events import UNKNOWN_ETA_SECONDS
from headway.contract.ids import JobName
from headway.contract.modes import mode_name
from headway.contract.states import is_terminal, state_name
from headway.contract.times import moment
from headway.v1.events_pb2 import JobProgressEvent
from headway.v1.jobs_pb2 import AttemptPhase, FailureClass, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """How far an attempt is.

    Attributes:
        attempt: of which attempt.
        phase: lower-case, such as `training`; empty when not known.
        host: host id; empty when not known.
        epoch: under way, from 1; 0 before training.
        total_epochs: 0 when not known.
        step: optimizer steps done.
        total_steps: 0 when not known.
        loss: NaN when not known.
        samples_per_second: 0 when not known.
        eta_seconds: negative when not known.
    """

    attempt: int = 0
    phase: str = ""
    host: str = ""
    epoch: int = 0
    total_epochs: int = 0
    step: int = 0
    total_steps: int = 0
    loss: float = math.nan
    samples_per_second: float = 0.0
    eta_seconds: float = UNKNOWN_ETA_SECONDS

    @property
    def fraction(self) -> float:
        """What is done, 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps > 0 else 0.0

    def is_behind(self, other: "RunProgress") -> bool:
        """Whether `other` says more: a later attempt, or a later step of the same."""
        return (self.attempt, self.step) < (other.attempt, other.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailure:
    """Why a run failed.

    Attributes:
        failure_class: USER_INPUT, TRANSIENT or FATAL; empty when not classified.
        reason: UPPER_SNAKE_CASE word.
        message: a sentence.
    """

    failure_class: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as it is shown.

    Attributes:
        name: of the job.
        title: the name that people gave it; its id where they gave none.
        kind: of the job.
        state: such as RUNNING.
        is_over: whether it came to its end.
        mode: local or host; empty when not known.
        host: host id; empty when none.
        attempt: of now, 0 before the first.
        wait_reason: why it waits; empty when it does not.
        checkpoint_step: of the newest checkpoint; 0 when there is none.
        headline: name and value of the figure to show first; empty when there is none.
        failure: the last one; None when there was none.
        progress: newest known.
        create_time: when it was admitted; None when not known.
        end_time: when it ended; None before.
    """

    name: JobName
    title: str
    kind: str
    state: str
    is_over: bool = False
    mode: str = ""
    host: str = ""
    attempt: int = 0
    wait_reason: str = ""
    checkpoint_step: int = 0
    headline: tuple[tuple[str, float], ...] = ()
    failure: RunFailure | None = None
    progress: RunProgress = RunProgress()
    create_time: datetime | None = None
    end_time: datetime | None = None

    def with_progress(self, progress: RunProgress) -> "RunView":
        """The same run, further on."""
        return replace(self, progress=progress, host=progress.host or self.host)


def view_of(job: Job) -> RunView:
    """A job as the gateway tells of it; raises InvalidName when it has no name."""
    name = JobName.parse(job.name)
    summary = job.result.summary
    headline = ((summary.headline_metric, summary.headline_value),) if summary.headline_metric else ()
    host = job.host.removeprefix("hosts/")
    return RunView(
        name=name,
        title=job.spec.display_name or name.job_id,
        kind=job.kind,
        state=state_name(job.state),
        is_over=is_terminal(job.state),
        mode=mode_name(job.mode),
        host=host,
        attempt=job.attempt,
        wait_reason=job.wait_reason,
        checkpoint_step=job.checkpoint.step,
        headline=headline,
        failure=_failure(job),
        progress=_progress(job, host),
        create_time=moment(job.create_time) if job.HasField("create_time") else None,
        end_time=moment(job.end_time) if job.HasField("end_time") else None,
    )


def progress_of(event: JobProgressEvent) -> RunProgress:
    """Progress as the stream tells of it."""
    return RunProgress(
        attempt=event.attempt,
        phase=event.phase,
        host=event.host,
        epoch=event.epoch,
        total_epochs=event.total_epochs,
        step=event.step,
        total_steps=event.total_steps,
        loss=event.loss,
        samples_per_second=event.samples_per_second,
        eta_seconds=event.eta_seconds,
    )


def _failure(job: Job) -> RunFailure | None:
    if not job.HasField("failure"):
        return None
    failure_class = FailureClass.Name(job.failure.failure_class).removeprefix("FAILURE_CLASS_")
    return RunFailure(
        failure_class="" if failure_class == "UNSPECIFIED" else failure_class,
        reason=job.failure.reason,
        message=job.failure.message,
    )


def _progress(job: Job, host: str) -> RunProgress:
    known = job.progress
    if known.attempt != job.attempt or not known.attempt:
        return RunProgress(attempt=job.attempt, host=host, total_steps=job.admission.total_steps)
    phase = AttemptPhase.Name(known.phase).removeprefix("ATTEMPT_PHASE_").lower()
    return RunProgress(
        attempt=known.attempt,
        phase="" if phase == "unspecified" else phase,
        host=host,
        epoch=known.epoch,
        total_epochs=known.total_epochs,
        step=known.step,
        total_steps=known.total_steps,
        loss=known.loss if known.step else math.nan,
        samples_per_second=known.samples_per_second,
        eta_seconds=known.eta.ToNanoseconds() / 1e9 if known.HasField("eta") else UNKNOWN_ETA_SECONDS,
    )
