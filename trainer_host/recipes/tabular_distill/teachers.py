"""The teachers of a student: read from the job's inputs, and of one mind about what they predict."""

from headway.contract.errors import echo
from headway.contract.recipes import AttemptContext, FatalFailure, UserInputFailure
from headway.contract.specs.tabular_distill import TabularDistill
from headway.v1.job_specs_pb2 import TABULAR_TASK_CLASSIFICATION, TABULAR_TASK_REGRESSION
from trainer_host.recipes.tabular_distill.limits import NAMED
from trainer_host.recipes.tabular_train.preprocess import TargetColumn
from trainer_host.recipes.tabular_train.trained import TrainedModel, read_trained

Teachers = tuple[TrainedModel, ...]
"""The named teacher first, whose preprocessing the student has; then those of the ensemble."""

_TASKS = {TABULAR_TASK_CLASSIFICATION: "classification", TABULAR_TASK_REGRESSION: "regression"}


def read_teachers(context: AttemptContext, spec: TabularDistill) -> Teachers:
    """Read the teachers, inputs `teacher.0/...`, `teacher.1/...` and so on.

    Raises:
        FatalFailure: INPUT_MISSING: the job has no teacher among its inputs.
        UserInputFailure: TEACHER_TASK, TEACHERS_DIFFER, or what `read_trained` raises.
    """
    teachers: list[TrainedModel] = []
    while files := context.inputs(f"teacher.{len(teachers)}/"):
        teachers.append(read_trained(files, context.device))
    if not teachers:
        raise FatalFailure("INPUT_MISSING", "the order has no teacher")
    first = teachers[0].preprocess.target
    _check_task(first, spec)
    for place, teacher in enumerate(teachers[1:], start=1):
        _check_alike(first, teacher.preprocess.target, spec.ensemble_teacher_model_ids[place - 1 : place])
    return tuple(teachers)


def _check_task(target: TargetColumn, spec: TabularDistill) -> None:
    asked = _TASKS.get(spec.training.task, target.task)
    if asked != target.task:
        raise UserInputFailure(
            "TEACHER_TASK",
            f"the teacher's task is {target.task}, and the job asks for a {asked}; leave the task out, or name another "
            "teacher",
        )


def _check_alike(first: TargetColumn, other: TargetColumn, model_ids: tuple[str, ...]) -> None:
    who = f"the further teacher {echo(model_ids[0])}" if model_ids else "a further teacher"
    if first.task != other.task:
        raise UserInputFailure("TEACHERS_DIFFER", f"{who} has the task {other.task}, the first one {first.task}")
    if set(first.classes) != set(other.classes):
        different = sorted(set(first.classes) ^ set(other.classes))[:NAMED]
        raise UserInputFailure(
            "TEACHERS_DIFFER",
            f"{who} has other classes than the first one; only one of them knows "
            f"{', '.join(echo(label) for label in different)}",
        )
