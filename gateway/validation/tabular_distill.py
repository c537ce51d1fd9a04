"""The chain of kind `tabular_distill`. `STEPS` is the documented order (seeds/000, distill chain, steps 1 to 10).

Beyond it: the last step, which the seed leaves to the training. There is no step "hidden config" here.
"""

from gateway.validation.chain import SPEC_PATH, Draft, Step, Teacher, World
from gateway.validation.tabular_steps import check_batch_fits, model_id_of, runtime_available, table_of
from gateway.validation.teacher_fit import check_teachers_fit
from headway.contract.specs.tabular_distill import check_bounds, check_mode, check_numbers, check_teacher_named
from headway.contract.specs.tabular_train import HIDDEN_BOUNDS, check_feature_columns, given_numbers, normalise_mode
from headway.v1.job_specs_pb2 import TabularDistillSpec

PATH = f"{SPEC_PATH}.tabular_distill"
TRAINING_PATH = f"{PATH}.training"


def _spec(draft: Draft) -> TabularDistillSpec:
    return draft.spec.tabular_distill


async def _data_target(draft: Draft, world: World) -> None:
    spec, tables = _spec(draft), world.tables
    draft.table = await table_of(draft, world, spec.training, TRAINING_PATH)
    if spec.unlabelled_data_path:
        field = f"{PATH}.unlabelled_data_path"
        draft.unlabelled = await tables.by_path(draft.project, spec.unlabelled_data_path, "", field=field)
    elif spec.unlabelled_dataset:
        field = f"{PATH}.unlabelled_dataset"
        draft.unlabelled = await tables.by_name(draft.project, spec.unlabelled_dataset, 0, "", field=field)


def _teacher_named(draft: Draft, _world: World) -> None:
    check_teacher_named(_spec(draft), PATH)


def _save_model_and_model_id(draft: Draft, _world: World) -> None:
    draft.model_id = model_id_of(draft, _spec(draft).training, TRAINING_PATH)


def _feature_columns(draft: Draft, _world: World) -> None:
    columns = draft.table.columns if draft.table else None
    check_feature_columns(_spec(draft).training, TRAINING_PATH, columns, needs_target=False)


def _numbers(draft: Draft, _world: World) -> None:
    check_numbers(_spec(draft), PATH)


def _bounds(draft: Draft, _world: World) -> None:
    check_bounds(_spec(draft), PATH)
    check_batch_fits(draft, _spec(draft).training, TRAINING_PATH)


def _mode_normalised(draft: Draft, _world: World) -> None:
    draft.training_mode = normalise_mode(_spec(draft).training.training_mode)


def _mode_can_be_distilled(draft: Draft, _world: World) -> None:
    check_mode(_spec(draft), PATH)


async def _teacher_found(draft: Draft, world: World) -> None:
    spec = _spec(draft)
    teachers = [await _first_teacher(draft, world)]
    for number, model in enumerate(spec.ensemble_teacher_model_ids):
        field = f"{PATH}.ensemble_teacher_model_ids[{number}]"
        teachers.append(await world.teachers.by_model(draft.project, model, field=field))
    draft.teachers = teachers


async def _first_teacher(draft: Draft, world: World) -> Teacher:
    spec, teachers = _spec(draft), world.teachers
    if spec.teacher_run_id:
        return await teachers.by_run(draft.project, spec.teacher_run_id)
    if spec.teacher_model_path:
        return await teachers.by_path(draft.project, spec.teacher_model_path, field=f"{PATH}.teacher_model_path")
    return await teachers.by_model(draft.project, spec.teacher_model_id, field=f"{PATH}.teacher_model_id")


def _teacher_fits(draft: Draft, _world: World) -> None:
    spec = _spec(draft)
    if draft.table is None:
        raise LookupError("step data_target has found no table")
    check_teachers_fit(spec, PATH, draft.teachers, draft.table, draft.unlabelled)
    draft.warnings += _without_effect(spec, draft.teachers[0])


def _without_effect(spec: TabularDistillSpec, teacher: Teacher) -> list[str]:
    """A sentence for what the caller chose and a student does not have a use for."""
    training = spec.training
    warnings = []
    if training.exclude_columns or training.date_columns or training.number_embedding:
        fields = "exclude_columns, date_columns and number_embedding"
        warnings.append(f"{fields} have no effect: a student takes its rows through the teacher's own preprocessing")
    given = given_numbers(training)
    hidden = [bound.field for bound in HIDDEN_BOUNDS if bound.field in given]
    if hidden:
        named = ", ".join(f"training.{field} (set student_{field} instead)" for field in hidden)
        warnings.append(f"without effect on a student: {named}")
    if teacher.architecture.task == "regression" and spec.HasField("temperature"):
        warnings.append("temperature has no effect on a regression: there the student learns the teacher's numbers")
    return warnings


STEPS = (
    Step("runtime_available", runtime_available),
    Step("data_target", _data_target),
    Step("teacher_named", _teacher_named),
    Step("save_model_and_model_id", _save_model_and_model_id),
    Step("feature_columns", _feature_columns),
    Step("numbers", _numbers),
    Step("bounds", _bounds),
    Step("mode_normalised", _mode_normalised),
    Step("mode_can_be_distilled", _mode_can_be_distilled),
    Step("teacher_found", _teacher_found),
    Step("teacher_fits", _teacher_fits),
)
