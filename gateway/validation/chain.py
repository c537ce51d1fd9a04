"""A validation chain: steps in a documented order, run until one fails. A later step never runs after a failed one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from headway.contract.architectures import Architecture
from headway.contract.errors import HeadwayError
from headway.contract.host_facts import HostFacts
from headway.contract.modes import Selection
from headway.runtime.principal import Principal
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, ExecutionMode, JobSpec
from headway.v1.jobs_pb2 import Artifact, PinnedInput
from headway.v1.jobs_service_pb2 import CreateJobRequest

SPEC_PATH = "job.spec"
"""Where the spec is in the request, for field paths."""
UNLABELLED_ROLE = "unlabelled"


@dataclass(frozen=True, slots=True)
class Table:
    """A pinned table, as far as validation needs to know it.

    Attributes:
        pinned: what the job's record keeps.
        columns: names in order.
        num_rows: 0 where not counted.
    """

    pinned: PinnedInput
    columns: Sequence[str]
    num_rows: int


class Tables(Protocol):
    """Where the data of a job comes from."""

    async def by_path(self, project: str, data_path: str, sheet: str, *, field: str) -> Table:
        """Take a file below the data root in, or find it unchanged; errors name `field`."""
        ...

    async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
        """Pin a version of a dataset, 0 for the newest; errors name `field`."""
        ...


@dataclass(frozen=True, slots=True)
class Teacher:
    """A model that a student can learn from, pinned by digest.

    Attributes:
        title: what it is called in messages, such as a model version's name.
        files: those of its bundle that a student needs.
        architecture: as its `model.json` says.
        target: the column that it predicts.
        columns: of a table, that it takes; the target is not among them.
    """

    title: str
    files: Sequence[Artifact]
    architecture: Architecture
    target: str
    columns: Sequence[str]


class Teachers(Protocol):
    """Where teachers come from. What is returned stays readable by its digests for as long as a job may wait."""

    async def by_run(self, project: str, run_id: str) -> Teacher:
        """The bundle of a recent run; raises NotFound when it never was one, has expired, or was pushed out."""
        ...

    async def by_path(self, project: str, model_path: str, *, field: str) -> Teacher:
        """A bundle's folder below the data root, taken in and checked; errors name `field`."""
        ...

    async def by_model(self, project: str, model: str, *, field: str) -> Teacher:
        """A registered model with an optional `@version`; errors name `field`."""
        ...


class World(Protocol):
    """What steps may look at beside the request."""

    @property
    def tables(self) -> Tables:
        """The datasets."""
        ...

    @property
    def teachers(self) -> Teachers:
        """The models to learn from."""
        ...

    def hosts(self) -> Sequence[HostFacts]:
        """The live trainer hosts."""
        ...

    def default_mode(self) -> "ExecutionMode.ValueType":
        """The platform's execution mode."""
        ...


@dataclass(slots=True)
class Draft:
    """A request on its way through the chain, and what the steps have found out so far.

    Attributes:
        request: as it came; nobody changes it.
        principal: the caller.
        project: the parent's id.
        job_id: the id that the job will have.
        now: when the request came.
        kind: set by step `kind`.
        selection: where the job would run; set by step `execution_mode`.
        model_id: where the result is registered; set by the kind's chain.
        table: the data; set by the kind's chain.
        unlabelled: further rows without target; set by the kind's chain where there are some.
        teachers: the models to learn from, the first one named first; set by the kind's chain.
        training_mode: normalised; set by the kind's chain.
        warnings: sentences for the caller.
        passed: names of the steps that passed, in order.
        spec: the caller's, as it stands in the request.
    """

    request: CreateJobRequest
    principal: Principal
    project: str
    job_id: str
    now: datetime
    kind: str = ""
    selection: Selection = field(default_factory=lambda: Selection(EXECUTION_MODE_LOCAL))
    model_id: str = ""
    table: Table | None = None
    unlabelled: Table | None = None
    teachers: Sequence[Teacher] = ()
    training_mode: str = ""
    warnings: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    spec: JobSpec = field(init=False)

    def __post_init__(self) -> None:
        """Take the spec out of the request once."""
        self.spec = self.request.job.spec

    @property
    def inputs(self) -> list[PinnedInput]:
        """All that the job reads, pinned: `table`, `unlabelled`, and `teacher.0/model.json` and so on."""
        inputs = [] if self.table is None else [self.table.pinned]
        if self.unlabelled is not None:
            unlabelled = PinnedInput()
            unlabelled.CopyFrom(self.unlabelled.pinned)
            unlabelled.role = UNLABELLED_ROLE
            inputs.append(unlabelled)
        for number, teacher in enumerate(self.teachers):
            inputs += [_pinned(number, file) for file in teacher.files]
        return inputs


def _pinned(number: int, file: Artifact) -> PinnedInput:
    return PinnedInput(
        role=f"teacher.{number}/{file.path}",
        digest=file.digest,
        size_bytes=file.size_bytes,
        format=file.path.rpartition(".")[2],
        file_name=file.path,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One check.

    Attributes:
        name: as documented; an error carries it in its metadata as `step`.
        check: returns when the draft passes, having written what it found out; else raises all its violations at once.
            What it returns is awaited; most steps have nothing to wait for.
    """

    name: str
    check: Callable[[Draft, World], Awaitable[None] | None]


async def run_chain(steps: Sequence[Step], draft: Draft, world: World) -> None:
    """Run the steps in order.

    Raises:
        HeadwayError: of the first step that fails, with the step's name in its metadata.
    """
    for step in steps:
        try:
            waiting = step.check(draft, world)
            if waiting is not None:
                await waiting
        except HeadwayError as error:
            error.metadata.setdefault("step", step.name)
            raise
        draft.passed.append(step.name)
