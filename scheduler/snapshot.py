"""What one scheduling pass decides on: jobs, hosts and leases at one moment, as small frozen values.

Everything is parsed when it arrives, not when it is looked at, so that a pass over ten thousand jobs only compares
numbers. Times are monotonic seconds of this process, so that no jump of the wall clock moves a lease or a retry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from headway.contract.host_facts import HostFacts
from headway.contract.kinds import INFER
from headway.contract.modes import Wish
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, ExecutionMode
from headway.v1.jobs_pb2 import AttemptOutcome, DesiredState, JobState

AttemptKey = tuple[str, int]
"""An attempt by job id and number."""

Order = tuple[float, float, str]
"""Where a job stands in the queue; smaller goes first."""


class Standing(Enum):
    """Where an attempt stands that a host reports."""

    CURRENT = auto()
    """The job's current attempt, and this host holds it."""
    COMMITTED = auto()
    """The job is over and this attempt made its result: the gateway is telling the host, or has told it."""
    OVER = auto()
    """Not the job's current attempt any more: nothing that comes of it is accepted."""
    UNKNOWN = auto()
    """The scheduler knows no such attempt, so it has no verdict on it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job asks of a host. Jobs of equal demand get equal verdicts, so a pass judges each demand once.

    Attributes:
        wish: mode, kind and GPU.
        num_gpus: GPUs to hold; 0 unless one is required.
        memory_mib: memory to hold, MiB; 0 for no demand.
    """

    wish: Wish
    num_gpus: int = 0
    memory_mib: int = 0

    @property
    def is_inference(self) -> bool:
        """Whether it is for the lane of inference, which takes no slot of training and knows no mode."""
        return self.wish.kind == INFER


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits for a host.

    Attributes:
        job_id: the key of its record.
        name: `projects/{project}/jobs/{job}`.
        order: its place in the queue.
        demand: what it asks of a host.
        ready_at: not to be claimed before; monotonic seconds.
        desired: what callers want of it.
    """

    job_id: str
    name: str
    order: Order
    demand: Demand
    ready_at: float
    desired: "DesiredState.ValueType"


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job whose current attempt a host holds.

    Attributes:
        job_id: the key of its record.
        name: `projects/{project}/jobs/{job}`.
        attempt: the fence.
        host: `hosts/{host}`.
        state: RUNNING, PAUSING or CANCELLING.
        demand: what it holds of the host.
    """

    job_id: str
    name: str
    attempt: int
    host: str
    state: "JobState.ValueType"
    demand: Demand

    @property
    def key(self) -> AttemptKey:
        """The attempt by name."""
        return (self.job_id, self.attempt)


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """A host's word that an attempt has ended.

    Attributes:
        job_id: the key of the job's record.
        attempt: the fence.
        outcome: how it ended.
        failure_class: number of a FailureClass, when it failed.
        reason: UPPER_SNAKE_CASE word, when it failed or its host ended it by itself; else empty.
        message: a sentence for people, when it failed.
        step: optimizer steps done.
    """

    job_id: str
    attempt: int
    outcome: "AttemptOutcome.ValueType"
    failure_class: int = 0
    reason: str = ""
    message: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class HostView:
    """A host that has not been silent for longer than its lease.

    Attributes:
        facts: what it is.
        connected: whether its stream is open, so that an order reaches it now.
        reported: every attempt of its newest message.
        ended: those of them that have ended.
        forgotten: attempts that an earlier boot of it held and this one does not know.
    """

    facts: HostFacts
    connected: bool = True
    reported: frozenset[AttemptKey] = frozenset()
    ended: tuple[AttemptEnd, ...] = ()
    forgotten: frozenset[AttemptKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The view of one pass.

    Attributes:
        queued: what waits for a slot, in the order of the queue.
        queued_inference: what waits in the lane of inference, likewise.
        held: every job that a host holds.
        hosts: every live host.
        lease_ends: when the lease of each held attempt ends, monotonic seconds.
        default_mode: mode of jobs that leave it open.
        run_seconds: how long held attempts have been at work, as their hosts last said.
    """

    queued: Sequence[QueuedJob] = ()
    held: Sequence[HeldJob] = ()
    hosts: Sequence[HostView] = ()
    lease_ends: Mapping[AttemptKey, float] = field(default_factory=dict)
    default_mode: "ExecutionMode.ValueType" = EXECUTION_MODE_AUTO
    run_seconds: Mapping[AttemptKey, float] = field(default_factory=dict)
    queued_inference: Sequence[QueuedJob] = ()
