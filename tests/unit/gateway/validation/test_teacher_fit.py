"""Teachers that do not fit are refused before anybody waits for them (C23: a teacher of other dimensions)."""

import pytest

from gateway.validation.chain import Table, Teacher
from gateway.validation.teacher_fit import check_teachers_fit
from headway.contract.errors import TeacherMismatch, Violation
from headway.v1.job_specs_pb2 import TABULAR_TASK_CLASSIFICATION, TABULAR_TASK_REGRESSION, TabularDistillSpec
from tests.unit.gateway.builders import a_distill_spec, a_table, a_tabular_spec, a_teacher


def refused(
    *teachers: Teacher,
    spec: TabularDistillSpec | None = None,
    table: Table | None = None,
    unlabelled: Table | None = None,
) -> tuple[Violation, ...]:
    with pytest.raises(TeacherMismatch) as caught:
        check_teachers_fit(spec or a_distill_spec(), "p", teachers, table or a_table(), unlabelled)
    return caught.value.violations


def test_a_teacher_of_the_same_table_fits_with_as_many_others_as_agree_with_it() -> None:
    others = [a_teacher(classes=("c", "b", "a")), a_teacher(columns=("sepal",))]
    check_teachers_fit(
        a_distill_spec(), "p", [a_teacher(), *others], a_table(), a_table(columns=("sepal", "petal", "day"))
    )


def test_columns_that_the_table_lacks_are_named_c23() -> None:
    (violation,) = refused(a_teacher(columns=("sepal", "weight", "height")))
    assert violation.field == "p.teacher_model_id"
    assert "'weight', 'height'" in violation.message
    assert "projects/demo/models/big/versions/j1" in violation.message


def test_of_many_missing_columns_some_are_named_and_the_rest_counted() -> None:
    (violation,) = refused(a_teacher(columns=[f"c{at}" for at in range(1000)]))
    assert "and 992 more" in violation.message
    assert len(violation.message) < 300


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"teacher_run_id": "j1", "teacher_model_path": "x"}, "p.teacher_run_id"),
        ({"teacher_model_path": "x"}, "p.teacher_model_path"),
        ({}, "p.teacher_model_id"),
    ],
)
def test_the_field_that_named_the_teacher_is_told(named: dict[str, object], field: str) -> None:
    assert refused(a_teacher(columns=("weight",)), spec=a_distill_spec(**named))[0].field == field


def test_further_rows_need_every_feature_but_no_target() -> None:
    (violation,) = refused(a_teacher(), unlabelled=a_table(columns=("sepal", "species")))
    assert violation.field == "p.unlabelled_data_path"
    assert "'petal', 'day'" in violation.message


def test_the_target_is_the_teachers_unless_it_is_called_otherwise_in_this_table() -> None:
    table = a_table(columns=("sepal", "petal", "day", "kind"))
    (violation,) = refused(a_teacher(), table=table)
    assert violation.field == "p.training.target_column"
    assert "'species'" in violation.message
    spec = a_distill_spec(training=a_tabular_spec(target_column="kind"))
    check_teachers_fit(spec, "p", [a_teacher()], table, None)


def test_what_the_teacher_looks_at_cannot_be_the_target() -> None:
    spec = a_distill_spec(training=a_tabular_spec(target_column="sepal"))
    assert refused(a_teacher(), spec=spec)[0].allowed == "species"


def test_the_task_is_the_teachers() -> None:
    for task, teacher in (
        (TABULAR_TASK_REGRESSION, a_teacher()),
        (TABULAR_TASK_CLASSIFICATION, a_teacher(classes=())),
    ):
        (violation,) = refused(teacher, spec=a_distill_spec(training=a_tabular_spec(task=task)))
        assert violation.field == "p.training.task"
        assert teacher.architecture.task in violation.message


@pytest.mark.parametrize("classes", [(), ("a", "b", "d"), ("a", "b")])
def test_further_teachers_have_the_task_and_the_classes_of_the_first(classes: tuple[str, ...]) -> None:
    (violation,) = refused(a_teacher(), a_teacher(title="the other", classes=classes))
    assert violation.field == "p.ensemble_teacher_model_ids"
    assert "the other" in violation.message


def test_all_violations_are_told_at_once() -> None:
    spec = a_distill_spec(training=a_tabular_spec(target_column="sepal", task=TABULAR_TASK_REGRESSION))
    fields = [one.field for one in refused(a_teacher(columns=("sepal", "weight")), spec=spec)]
    assert fields == ["p.training.target_column", "p.training.task", "p.teacher_model_id"]
