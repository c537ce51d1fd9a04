"""The distill chain of seeds/000: every step, and the order of every pair."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import pytest

from gateway.validation.chain import run_chain
from gateway.validation.tabular_distill import STEPS
from headway.contract.errors import (
    FieldRequired,
    HeadwayError,
    InvalidColumns,
    InvalidModelId,
    ModeNotPossible,
    NotFound,
    OutOfRange,
    RuntimeUnavailable,
    TeacherMismatch,
    UnknownDataset,
)
from headway.v1.job_specs_pb2 import JobSpec, TabularDistillSpec, TabularTrainSpec
from tests.proto_fields import with_fields
from tests.unit.gateway.builders import (
    TEACHER_FILES,
    FakeTables,
    FakeTeachers,
    FakeWorld,
    a_distill_spec,
    a_draft,
    a_host,
    a_table,
    a_teacher,
)

DOCUMENTED = (
    "runtime_available",
    "data_target",
    "teacher_named",
    "save_model_and_model_id",
    "feature_columns",
    "numbers",
    "bounds",
    "mode_normalised",
    "mode_can_be_distilled",
    "teacher_found",
    "teacher_fits",
)


@dataclass(frozen=True)
class Fault:
    """One thing wrong, and the step and error that answer."""

    step: str
    error: type[HeadwayError]
    spoil: Callable[[TabularDistillSpec, FakeWorld], None]


def _no_torch(_spec: TabularDistillSpec, world: FakeWorld) -> None:
    world.up = [a_host(has_torch=False)]


def _no_data(_spec: TabularDistillSpec, world: FakeWorld) -> None:
    world.tables = FakeTables(error=UnknownDataset("no such dataset"))


def _no_teacher(spec: TabularDistillSpec, _world: FakeWorld) -> None:
    spec.ClearField("teacher_model_id")


def _expired(_spec: TabularDistillSpec, world: FakeWorld) -> None:
    world.teachers.error = NotFound("Teacher run not found or expired.")


def _unfit(_spec: TabularDistillSpec, world: FakeWorld) -> None:
    world.teachers.teacher = a_teacher(columns=("weight",))


def _setting(**values: object) -> Callable[[TabularDistillSpec, FakeWorld], None]:
    def spoil(spec: TabularDistillSpec, _world: FakeWorld) -> None:
        with_fields(spec, values)

    return spoil


def _training(**values: object) -> Callable[[TabularDistillSpec, FakeWorld], None]:
    def spoil(spec: TabularDistillSpec, _world: FakeWorld) -> None:
        with_fields(spec.training, values)

    return spoil


# In the documented order. "mode_normalised" always succeeds, so no fault belongs to it.
FAULTS = (
    Fault("runtime_available", RuntimeUnavailable, _no_torch),
    Fault("data_target", UnknownDataset, _no_data),
    Fault("teacher_named", FieldRequired, _no_teacher),
    Fault("save_model_and_model_id", InvalidModelId, _training(model_id="../etc")),
    Fault("feature_columns", InvalidColumns, _training(exclude_columns=["no such column"])),
    Fault("numbers", OutOfRange, _setting(temperature=math.nan)),
    Fault("bounds", OutOfRange, _setting(alpha=1.5)),
    Fault("mode_can_be_distilled", ModeNotPossible, _training(training_mode="imbalance_aware")),
    Fault("teacher_found", NotFound, _expired),
    Fault("teacher_fits", TeacherMismatch, _unfit),
)


async def answer_to(spec: TabularDistillSpec, world: FakeWorld) -> HeadwayError:
    with pytest.raises(HeadwayError) as caught:
        await run_chain(STEPS, a_draft(JobSpec(tabular_distill=spec)), world)
    return caught.value


def test_the_order_is_the_documented_one() -> None:
    assert tuple(step.name for step in STEPS) == DOCUMENTED
    assert {fault.step for fault in FAULTS} == set(DOCUMENTED) - {"mode_normalised"}


async def test_a_good_spec_passes_every_step() -> None:
    draft = a_draft(JobSpec(tabular_distill=a_distill_spec()))
    await run_chain(STEPS, draft, FakeWorld())
    assert tuple(draft.passed) == DOCUMENTED
    assert (draft.training_mode, draft.model_id) == ("mlp_dense", draft.job_id)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.step)
async def test_each_step_answers_for_its_fault(fault: Fault) -> None:
    spec, world = a_distill_spec(), FakeWorld()
    fault.spoil(spec, world)
    error = await answer_to(spec, world)
    assert (type(error), error.metadata["step"]) == (fault.error, fault.step)


@pytest.mark.parametrize(("earlier", "later"), list(combinations(FAULTS, 2)), ids=lambda fault: fault.step)
async def test_with_two_faults_the_earlier_step_answers_b2(earlier: Fault, later: Fault) -> None:
    spec, world = a_distill_spec(), FakeWorld()
    later.spoil(spec, world)
    earlier.spoil(spec, world)
    error = await answer_to(spec, world)
    assert (type(error), error.metadata["step"]) == (earlier.error, earlier.step)


async def test_no_teacher_is_asked_for_after_a_step_that_failed() -> None:
    world = FakeWorld()
    await answer_to(a_distill_spec(alpha=2.0), world)
    assert world.teachers.asked == []


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"teacher_run_id": "j1", "teacher_model_path": "x", "teacher_model_id": "y"}, ("run", "j1")),
        ({"teacher_model_path": "x", "teacher_model_id": "y"}, ("path", "x")),
        ({"teacher_model_id": "y@2"}, ("model", "y@2")),
    ],
)
async def test_the_run_wins_over_the_path_and_the_path_over_the_model(
    named: dict[str, object], expected: tuple[str, str]
) -> None:
    world = FakeWorld()
    await run_chain(STEPS, a_draft(JobSpec(tabular_distill=a_distill_spec(**named))), world)
    assert world.teachers.asked == [expected]


async def test_everything_is_pinned_the_table_first() -> None:
    spec = a_distill_spec(ensemble_teacher_model_ids=["second", "third"], unlabelled_dataset="more")
    draft, world = a_draft(JobSpec(tabular_distill=spec)), FakeWorld()
    await run_chain(STEPS, draft, world)
    roles = [pinned.role for pinned in draft.inputs]
    assert roles == [
        "table",
        "unlabelled",
        *(f"teacher.{number}/{path}" for number in range(3) for path in TEACHER_FILES),
    ]
    weights = draft.inputs[roles.index("teacher.2/model.safetensors")]
    file = a_teacher().files[TEACHER_FILES.index("model.safetensors")]
    assert (weights.digest, weights.size_bytes) == (file.digest, file.size_bytes)
    assert (weights.format, weights.file_name) == ("safetensors", "model.safetensors")
    assert [name for _, name in world.teachers.asked] == ["big", "second", "third"]


async def test_what_has_no_effect_on_a_student_is_told() -> None:
    training = TabularTrainSpec(dataset="iris", exclude_columns=["day"], hidden_dim=64, dropout=0.2)
    teacher = a_teacher(classes=(), columns=("sepal",))
    draft = a_draft(JobSpec(tabular_distill=a_distill_spec(training=training, temperature=2.0)))
    await run_chain(STEPS, draft, FakeWorld(teachers=FakeTeachers(teacher)))
    assert [warning for warning in draft.warnings if "exclude_columns" in warning]
    assert [warning for warning in draft.warnings if "student_hidden_dim" in warning and "student_dropout" in warning]
    assert [warning for warning in draft.warnings if "temperature" in warning]


async def test_a_good_spec_is_not_warned_of() -> None:
    draft = a_draft(JobSpec(tabular_distill=a_distill_spec(temperature=4.0)), kind="tabular_distill")
    await run_chain(STEPS, draft, FakeWorld())
    assert draft.warnings == []


async def test_a_batch_larger_than_the_table_is_refused_b6() -> None:
    training = TabularTrainSpec(dataset="iris", batch_size=21)
    world = FakeWorld(tables=FakeTables(a_table(num_rows=20)))
    error = await answer_to(a_distill_spec(training=training), world)
    assert error.violations[0].field == "job.spec.tabular_distill.training.batch_size"
