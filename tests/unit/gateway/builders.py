"""Things that tests of the gateway start from, with defaults for all that a test does not care about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.projection.rows import JobSeen
from gateway.validation.chain import Draft, Table, Teacher
from headway.contract.architectures import Architecture
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName, new_job_id
from headway.contract.transitions import Submission, submit
from headway.runtime.principal import Principal
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_AUTO,
    EXECUTION_MODE_LOCAL,
    ExecutionMode,
    JobSpec,
    TabularDistillSpec,
    TabularTrainSpec,
)
from headway.v1.jobs_pb2 import Admission, Artifact, Job, PinnedInput
from headway.v1.jobs_service_pb2 import CreateJobRequest
from headway.v1.records_pb2 import JobRecord
from tests.proto_fields import with_fields

PROJECT = "demo"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
IRIS_COLUMNS = ("sepal", "petal", "day", "species")


def a_principal(*, projects: Sequence[str] = (PROJECT,), key_id: str = "key1") -> Principal:
    """A caller with every scope."""
    return Principal(key_id=key_id, user_id="ada", scopes=frozenset({"admin"}), projects=frozenset(projects))


def a_tabular_spec(**changes: object) -> TabularTrainSpec:
    """A spec that passes the whole chain on `a_table()`."""
    return with_fields(TabularTrainSpec(dataset="iris", target_column="species"), changes)


def a_spec(tabular: TabularTrainSpec | None = None, **changes: object) -> JobSpec:
    """A job of kind tabular_train."""
    return with_fields(JobSpec(tabular_train=tabular or a_tabular_spec()), changes)


def a_distill_spec(**changes: object) -> TabularDistillSpec:
    """A spec that passes the whole chain on `a_table()` with `a_teacher()`."""
    spec = TabularDistillSpec(training=TabularTrainSpec(dataset="iris"), teacher_model_id="big")
    return with_fields(spec, changes)


def a_request(spec: JobSpec | None = None, *, request_id: str = "", validate_only: bool = False) -> CreateJobRequest:
    """A CreateJob that is admitted."""
    request = CreateJobRequest(
        parent=f"projects/{PROJECT}", job=Job(spec=spec or a_spec()), validate_only=validate_only
    )
    if request_id:
        request.request_id = request_id
    return request


def a_draft(spec: JobSpec | None = None, **changes: object) -> Draft:
    """A request at the beginning of the chain."""
    draft = Draft(a_request(spec), a_principal(), PROJECT, new_job_id(), NOW)
    for name, value in changes.items():
        setattr(draft, name, value)
    return draft


def a_host(
    *,
    name: str = "hosts/local",
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_LOCAL,
    gpu_names: tuple[str, ...] = (),
    kinds: frozenset[str] = frozenset({"tabular_train", "tabular_distill"}),
    has_torch: bool = True,
    draining: bool = False,
) -> HostFacts:
    """A local host that can train tables on its CPU."""
    return HostFacts(
        name=name,
        mode=mode,
        num_slots=1,
        num_cpu_cores=2,
        memory_mib=4096,
        gpu_names=gpu_names,
        kinds=kinds,
        has_torch=has_torch,
        draining=draining,
    )


def a_table(*, columns: Sequence[str] = IRIS_COLUMNS, num_rows: int = 150) -> Table:
    """A table of 150 rows."""
    return Table(PinnedInput(role="table"), columns, num_rows)


TEACHER_FILES = ("manifest.json", "model.json", "preprocess.json", "model.safetensors")


def a_teacher(
    *,
    title: str = "projects/demo/models/big/versions/j1",
    target: str = "species",
    columns: Sequence[str] = IRIS_COLUMNS[:-1],
    classes: tuple[str, ...] = ("a", "b", "c"),
    hidden_dim: int = 128,
    num_hidden_layers: int = 2,
) -> Teacher:
    """A teacher of the columns of `a_table()`; without classes it is of a regression."""
    architecture = Architecture(
        kind="tabular_train",
        mode="mlp_dense",
        input_dim=len(columns),
        output_dim=max(1, len(classes)),
        hidden_dim=hidden_dim,
        num_hidden_layers=num_hidden_layers,
        task="classification" if classes else "regression",
        classes=classes or None,
    )
    files = [
        Artifact(path=path, digest=f"sha256:{number:064x}", size_bytes=number)
        for number, path in enumerate(TEACHER_FILES)
    ]
    return Teacher(title, files, architecture, target, columns)


class NoHosts:
    """Nobody is up."""

    def live(self) -> Sequence[HostFacts]:
        return []


@dataclass
class FakeTables:
    """Has one table, whatever it is called, or raises."""

    table: Table = field(default_factory=a_table)
    error: Exception | None = None

    async def by_path(self, project: str, data_path: str, sheet: str, *, field: str) -> Table:
        if self.error is not None:
            raise self.error
        return self.table

    async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
        return await self.by_path(project, dataset, sheet, field=field)


@dataclass
class FakeTeachers:
    """Has one teacher, whatever it is called, or raises; remembers how each was asked for."""

    teacher: Teacher = field(default_factory=a_teacher)
    error: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def by_run(self, project: str, run_id: str) -> Teacher:
        return self._answer("run", run_id)

    async def by_path(self, project: str, model_path: str, *, field: str) -> Teacher:
        return self._answer("path", model_path)

    async def by_model(self, project: str, model: str, *, field: str) -> Teacher:
        return self._answer("model", model)

    def _answer(self, how: str, name: str) -> Teacher:
        self.asked.append((how, name))
        if self.error is not None:
            raise self.error
        return self.teacher


@dataclass
class FakeWorld:
    """A world with one capable host."""

    tables: FakeTables = field(default_factory=FakeTables)
    up: Sequence[HostFacts] = field(default_factory=lambda: [a_host()])
    mode: "ExecutionMode.ValueType" = EXECUTION_MODE_AUTO
    teachers: FakeTeachers = field(default_factory=FakeTeachers)

    def hosts(self) -> Sequence[HostFacts]:
        return self.up

    def default_mode(self) -> "ExecutionMode.ValueType":
        return self.mode


def a_record(spec: JobSpec | None = None, *, job_id: str = "", now: datetime = NOW, user_id: str = "ada") -> JobRecord:
    """A job that was just submitted."""
    submission = Submission(
        name=JobName(PROJECT, job_id or new_job_id()).name,
        spec=spec or a_spec(),
        kind="tabular_train",
        user_id=user_id,
        admission=Admission(),
        key_id="key1",
    )
    return submit(submission, now=now)


def seen(record: JobRecord, revision: int) -> JobSeen:
    """A record as the bucket's stream tells it."""
    return JobSeen(record.job.name.rpartition("/")[2], revision, record, record.SerializeToString())
