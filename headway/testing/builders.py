"""Jobs, records and hosts with sensible defaults, so that a test names only what it is about."""

from datetime import UTC, datetime

from headway.contract import transitions
from headway.contract.host_facts import facts_of
from headway.contract.ids import JobName, new_job_id
from headway.contract.kinds import TABULAR_TRAIN, kind_of
from headway.contract.transitions import Submission
from headway.v1.hosts_pb2 import Device, Host, RecipeReport
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_LOCAL,
    EXECUTION_MODE_UNSPECIFIED,
    ExecutionMode,
    InferSpec,
    JobSpec,
    Policies,
    ResourceSpec,
    TabularTrainSpec,
)
from headway.v1.jobs_pb2 import Admission, Job, PinnedInput
from headway.v1.records_pb2 import JobRecord

A_MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""When things happen unless a test says otherwise."""

A_DIGEST = "sha256:" + "0" * 64


def a_spec(
    *,
    priority: int = 0,
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_UNSPECIFIED,
    resources: ResourceSpec | None = None,
    policies: Policies | None = None,
    display_name: str = "a job",
) -> JobSpec:
    """A spec of kind `tabular_train` that passes every check that needs no data."""
    return JobSpec(
        display_name=display_name,
        priority=priority,
        execution_mode=mode,
        resource_spec=resources,
        policies=policies,
        tabular_train=TabularTrainSpec(dataset="iris", target_column="species", epochs=3),
    )


def an_infer_spec(model: str = "projects/demo/models/iris/versions/latest") -> JobSpec:
    """The spec of the internal job behind a prediction."""
    return JobSpec(infer=InferSpec(model=model))


def a_record(
    spec: JobSpec | None = None,
    *,
    job_id: str = "",
    project: str = "demo",
    user_id: str = "ada",
    now: datetime = A_MOMENT,
) -> JobRecord:
    """The record of a job that was just admitted: QUEUED.

    Args:
        spec: what is asked for; None for `a_spec()`.
        job_id: empty for a fresh one.
        project: its project.
        user_id: whom it is for.
        now: when it was admitted.
    """
    asked = spec if spec is not None else a_spec()
    table = PinnedInput(role="table", digest=A_DIGEST, size_bytes=1, format="csv", file_name="iris.csv")
    submission = Submission(
        name=JobName(project, job_id or new_job_id()).name,
        spec=asked,
        kind=kind_of(asked),
        user_id=user_id,
        admission=Admission(),
        inputs=[table],
    )
    return transitions.submit(submission, now=now)


def a_claimed_record(
    record: JobRecord | None = None,
    *,
    host: Host | None = None,
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_LOCAL,
    now: datetime = A_MOMENT,
) -> JobRecord:
    """The record of a job that a host holds: RUNNING, with the next attempt.

    Args:
        record: a queued one; None for a fresh one.
        host: its holder; None for `a_host()`.
        mode: LOCAL or HOST.
        now: when it was claimed.
    """
    holder = facts_of(host if host is not None else a_host())
    queued = record if record is not None else a_record(now=now)
    return transitions.claim(queued, host=holder, mode=mode, fallback_reason="", now=now)


def a_job(record: JobRecord | None = None) -> Job:
    """The job of a record; of a fresh queued one when there is none."""
    return (record if record is not None else a_record()).job


def a_host(  # noqa: PLR0913 - each has a default, and a test names one or two
    host_id: str = "anton",
    *,
    boot_id: str = "boot-1",
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_LOCAL,
    num_slots: int = 2,
    gpus: tuple[str, ...] = (),
    memory_mib: int = 16_384,
    kinds: tuple[str, ...] = (TABULAR_TRAIN,),
    draining: bool = False,
) -> Host:
    """A trainer host as it describes itself.

    Args:
        host_id: the last part of its name.
        boot_id: of this start of its process.
        mode: LOCAL or HOST.
        num_slots: attempts at a time.
        gpus: display names of its GPUs.
        memory_mib: for its attempts.
        kinds: recipes that import.
        draining: whether it asks for no new work.
    """
    return Host(
        name=f"hosts/{host_id}",
        boot_id=boot_id,
        mode=mode,
        num_slots=num_slots,
        devices=[Device(id=f"cuda:{at}", display_name=name, memory_mib=24_576) for at, name in enumerate(gpus)],
        recipes=[RecipeReport(kind=kind, available=True) for kind in kinds],
        num_cpu_cores=4,
        memory_mib=memory_mib,
        torch_version="2.13.0",
        version="0.1.0",
        draining=draining,
    )
