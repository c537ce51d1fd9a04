"""Whether teachers fit a table, a task and each other. Pure."""

from collections.abc import Sequence

from gateway.validation.chain import Table, Teacher
from headway.contract.errors import TeacherMismatch, Violation, echo
from headway.v1.job_specs_pb2 import (
    TABULAR_TASK_CLASSIFICATION,
    TABULAR_TASK_REGRESSION,
    TabularDistillSpec,
    TabularTask,
)

_NAMED_MAX = 8
_TASKS = {TABULAR_TASK_CLASSIFICATION: "classification", TABULAR_TASK_REGRESSION: "regression"}


def check_teachers_fit(
    spec: TabularDistillSpec, prefix: str, teachers: Sequence[Teacher], table: Table, unlabelled: Table | None
) -> None:
    """Step "teacher fits": what a student would find out on its host in any case, found out before it waits.

    Args:
        spec: as the caller wrote it.
        prefix: path of the spec, for field paths.
        teachers: the first is the one whose preprocessing the student reuses.
        table: to learn from.
        unlabelled: further rows.

    Raises:
        TeacherMismatch: with every violation.
    """
    violations = _target_violations(spec, f"{prefix}.training", teachers[0], table)
    violations += _task_violations(f"{prefix}.training.task", spec.training.task, teachers[0])
    violations += _column_violations(_field_of_teacher(spec, prefix), teachers[0], table, "the table")
    if unlabelled is not None:
        violations += _column_violations(f"{prefix}.unlabelled_data_path", teachers[0], unlabelled, "the further rows")
    field = f"{prefix}.ensemble_teacher_model_ids"
    for teacher in teachers[1:]:
        violations += _agreement_violations(field, teachers[0], teacher)
        violations += _column_violations(field, teacher, table, "the table")
    if violations:
        raise TeacherMismatch("; ".join(str(violation) for violation in violations), violations=violations)


def _field_of_teacher(spec: TabularDistillSpec, prefix: str) -> str:
    if spec.teacher_run_id:
        return f"{prefix}.teacher_run_id"
    return f"{prefix}.teacher_model_path" if spec.teacher_model_path else f"{prefix}.teacher_model_id"


def _target_violations(spec: TabularDistillSpec, prefix: str, teacher: Teacher, table: Table) -> list[Violation]:
    field, target = f"{prefix}.target_column", spec.training.target_column or teacher.target
    if target in teacher.columns:
        return [_mismatch(field, f"{echo(target)} is a feature of the teacher {teacher.title}", teacher.target)]
    if target not in table.columns:
        message = f"{echo(target)}, which the teacher predicts, is not in the table"
        return [_mismatch(field, message, "the table's column to predict")]
    return []


def _task_violations(field: str, task: "TabularTask.ValueType", teacher: Teacher) -> list[Violation]:
    wanted = _TASKS.get(task, teacher.architecture.task)
    if wanted == teacher.architecture.task:
        return []
    return [_mismatch(field, f"the teacher {teacher.title} is of a {teacher.architecture.task}", "auto")]


def _column_violations(field: str, teacher: Teacher, table: Table, title: str) -> list[Violation]:
    present = frozenset(table.columns)
    missing = [column for column in teacher.columns if column not in present]
    if not missing:
        return []
    rest = f" and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
    named = ", ".join(echo(column) for column in missing[:_NAMED_MAX]) + rest
    num = len(teacher.columns)
    message = f"{title} lacks {named}, of {num} columns that the teacher {teacher.title} takes"
    return [_mismatch(field, message, "a teacher of columns that are there")]


def _agreement_violations(field: str, first: Teacher, other: Teacher) -> list[Violation]:
    if other.architecture.task != first.architecture.task:
        return [_mismatch(field, f"{other.title} is of a {other.architecture.task}", first.architecture.task)]
    if sorted(other.architecture.classes or ()) != sorted(first.architecture.classes or ()):
        return [_mismatch(field, f"{other.title} knows other classes than {first.title}", "the same classes")]
    return []


def _mismatch(field: str, message: str, allowed: str) -> Violation:
    return Violation(field, TeacherMismatch.reason, message, allowed)
