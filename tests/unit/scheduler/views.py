"""Snapshots in a line: what a pass sees, with defaults."""

from headway.contract.host_facts import facts_of
from headway.contract.kinds import TABULAR_TRAIN
from headway.contract.modes import Wish
from headway.testing.builders import a_host
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED, ExecutionMode
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    DESIRED_STATE_RUN,
    JOB_STATE_RUNNING,
    AttemptOutcome,
    DesiredState,
    JobState,
)
from scheduler.snapshot import AttemptEnd, AttemptKey, Demand, HeldJob, HostView, QueuedJob


def a_demand(
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_UNSPECIFIED,
    *,
    gpu_type: str = "",
    num_gpus: int = 0,
    memory_mib: int = 0,
    kind: str = TABULAR_TRAIN,
) -> Demand:
    return Demand(Wish(mode, num_gpus > 0, gpu_type, kind), num_gpus, memory_mib)


def a_queued(
    job_id: str = "j1",
    demand: Demand | None = None,
    *,
    at: float = 0.0,
    ready_at: float = 0.0,
    desired: "DesiredState.ValueType" = DESIRED_STATE_RUN,
) -> QueuedJob:
    order = (at, at, job_id)
    return QueuedJob(job_id, f"projects/demo/jobs/{job_id}", order, demand or a_demand(), ready_at, desired)


def a_held(
    job_id: str = "j1",
    *,
    attempt: int = 1,
    host: str = "hosts/anton",
    state: "JobState.ValueType" = JOB_STATE_RUNNING,
    demand: Demand | None = None,
) -> HeldJob:
    return HeldJob(job_id, f"projects/demo/jobs/{job_id}", attempt, host, state, demand or a_demand())


def a_view(
    host: Host | None = None,
    *,
    connected: bool = True,
    reported: tuple[AttemptKey, ...] = (),
    ended: tuple[AttemptEnd, ...] = (),
    forgotten: tuple[AttemptKey, ...] = (),
) -> HostView:
    facts = facts_of(host if host is not None else a_host())
    also_reported = [(end.job_id, end.attempt) for end in ended]
    return HostView(facts, connected, frozenset([*reported, *also_reported]), ended, frozenset(forgotten))


def an_end(
    job_id: str = "j1", attempt: int = 1, outcome: "AttemptOutcome.ValueType" = ATTEMPT_OUTCOME_FAILED
) -> AttemptEnd:
    return AttemptEnd(job_id, attempt, outcome, 2, "BROKEN", "it broke")
