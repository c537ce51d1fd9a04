"""What a pass wants changed, as data. `reconcile` makes it, `apply` carries it out."""

from dataclasses import dataclass

from headway.contract.host_facts import HostFacts
from headway.v1.job_specs_pb2 import ExecutionMode
from scheduler.snapshot import AttemptEnd


@dataclass(frozen=True, slots=True)
class Claim:
    """Give a queued job to a host, as its next attempt."""

    job_id: str
    host: HostFacts
    mode: "ExecutionMode.ValueType"
    fallback_reason: str


@dataclass(frozen=True, slots=True)
class CancelQueued:
    """Cancel a job that no host holds and that is not wanted any more."""

    job_id: str


@dataclass(frozen=True, slots=True)
class ConfirmCancelled:
    """Record that the attempt of a job being cancelled is over.

    Attributes:
        job_id: the job.
        attempt: the fence.
        ran_seconds: how long it was at work, as its host said; 0 where it did not.
        step: optimizer steps done, as its host said; 0 where it did not.
    """

    job_id: str
    attempt: int
    ran_seconds: float = 0.0
    step: int = 0


@dataclass(frozen=True, slots=True)
class ConfirmPaused:
    """Record that the attempt of a job being paused is over; `ran_seconds` as in ConfirmCancelled."""

    job_id: str
    attempt: int
    ran_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class UseUpRunTime:
    """Pause a job whose max_runtime is used up, as its host said; `ran_seconds` as in ConfirmCancelled."""

    job_id: str
    attempt: int
    ran_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FailAttempt:
    """Record that an attempt failed, as its host said; `ran_seconds` as in ConfirmCancelled."""

    job_id: str
    attempt: int
    end: AttemptEnd
    ran_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LoseAttempt:
    """Take an attempt from a host that does not run it any more.

    Attributes:
        job_id: the job.
        attempt: the fence.
        reason: UPPER_SNAKE_CASE word.
        message: a sentence for people.
        ran_seconds: how long it was at work, as last heard.
    """

    job_id: str
    attempt: int
    reason: str
    message: str
    ran_seconds: float = 0.0


Action = Claim | CancelQueued | ConfirmCancelled | ConfirmPaused | UseUpRunTime | FailAttempt | LoseAttempt


@dataclass(frozen=True, slots=True)
class Plan:
    """The differences that a pass wants, in the order of their importance; at most one of a job.

    Attributes:
        endings: what is over; first, because it makes room.
        claims: what begins.
    """

    endings: tuple[Action, ...] = ()
    claims: tuple[Claim, ...] = ()
