import numpy as np
import pytest

from headway.contract.recipes import UserInputFailure
from headway.v1.job_specs_pb2 import (
    TABULAR_TASK_AUTO,
    TABULAR_TASK_CLASSIFICATION,
    TABULAR_TASK_REGRESSION,
    TabularTask,
)
from trainer_host.recipes.tabular_train.target import fit_target, has_target, read_target
from trainer_host.recipes.tabular_train.texts import Texts


def numbers(count: int, distinct: int) -> list[str | None]:
    return [str(index % distinct) for index in range(count)]


@pytest.mark.parametrize(
    ("texts", "task"),
    [
        (numbers(100, 20), "classification"),
        (numbers(100, 21), "regression"),
        (numbers(1000, 50), "classification"),
        (numbers(1000, 51), "regression"),
        ([*numbers(100, 30), "x", "x"], "classification"),
        ([f"{index % 30}.5" for index in range(60)], "regression"),
    ],
)
def test_auto_is_regression_for_many_distinct_numbers(texts: list[str | None], task: str) -> None:
    assert read_target("y", Texts.of(texts), TABULAR_TASK_AUTO).task == task


def test_the_task_can_be_asked_for() -> None:
    assert read_target("y", Texts.of(numbers(60, 30)), TABULAR_TASK_CLASSIFICATION).task == "classification"
    assert read_target("y", Texts.of(numbers(60, 3)), TABULAR_TASK_REGRESSION).task == "regression"


def test_labels_are_in_order_and_numbers_are_labels_whatever_their_notation() -> None:
    texts = read_target("y", Texts.of(["b", "a", "b", "a"]), TABULAR_TASK_AUTO)
    figures = read_target("y", Texts.of(["10", "2.0", "2", "010"]), TABULAR_TASK_AUTO)

    assert (texts.classes, texts.indices.tolist()) == (("a", "b"), [1, 0, 1, 0])
    assert (figures.classes, figures.indices.tolist()) == (("2", "10"), [1, 0, 0, 1])


@pytest.mark.parametrize(
    ("texts", "asked", "reason"),
    [
        ([None, None, None, None, None], TABULAR_TASK_AUTO, "DEGENERATE_TARGET"),
        (["a", "a", "a", "a"], TABULAR_TASK_AUTO, "DEGENERATE_TARGET"),
        (["a", "b", "c", "d"], TABULAR_TASK_AUTO, "DEGENERATE_TARGET"),
        (["1", "1", "1", "1.0"], TABULAR_TASK_REGRESSION, "DEGENERATE_TARGET"),
        (["a", "b", "a"], TABULAR_TASK_AUTO, "NOT_ENOUGH_ROWS"),
        (["1", "2", "x", "4"], TABULAR_TASK_REGRESSION, "TARGET_NOT_NUMERIC"),
        ([f"c{index // 2}" for index in range(2002)], TABULAR_TASK_AUTO, "TOO_MANY_CLASSES"),
    ],
)
def test_a_target_that_nothing_can_be_learned_from_is_refused_by_name(
    texts: list[str | None], asked: "TabularTask.ValueType", reason: str
) -> None:
    with pytest.raises(UserInputFailure, match="target") as failure:
        read_target("y", Texts.of(texts), asked)
    assert failure.value.reason == reason


def test_a_regression_is_standardised_by_the_training_rows_alone() -> None:
    labels = read_target("y", Texts.of(["0", "2", "4", "1000"]), TABULAR_TASK_REGRESSION)

    target = fit_target(labels, np.array([0, 1, 2]))

    assert target.mean == pytest.approx(2.0)
    assert target.scale == pytest.approx(np.std([0, 2, 4]))


def test_a_target_that_is_constant_where_it_is_learned_is_refused() -> None:
    labels = read_target("y", Texts.of(["1", "1", "1", "2"]), TABULAR_TASK_REGRESSION)
    with pytest.raises(UserInputFailure, match="training row"):
        fit_target(labels, np.array([0, 1, 2]))


def test_targets_near_the_largest_number_stay_finite() -> None:
    labels = read_target("y", Texts.of(["1e308", "-1e308", "1.5e308", "3e307"]), TABULAR_TASK_REGRESSION)
    target = fit_target(labels, np.arange(4))
    assert np.isfinite([target.mean, target.scale]).all()


@pytest.mark.parametrize("asked", [TABULAR_TASK_AUTO, TABULAR_TASK_CLASSIFICATION, TABULAR_TASK_REGRESSION])
@pytest.mark.parametrize("cells", [["10", "2.0", "2", "010", "10.0"], ["0.5", "-0", "0", "1e3", "1000"]])
def test_numbers_are_the_same_target_whether_they_were_read_as_numbers_or_as_texts(
    cells: list[str], asked: "TabularTask.ValueType"
) -> None:
    as_numbers = read_target("y", np.array([float(cell) for cell in cells]), asked)
    as_texts = read_target("y", Texts.of(cells), asked)

    assert (as_numbers.task, as_numbers.classes) == (as_texts.task, as_texts.classes)
    assert as_numbers.indices.tolist() == as_texts.indices.tolist()
    assert as_numbers.values.tolist() == as_texts.values.tolist()


def test_rows_without_a_target_are_told() -> None:
    assert has_target(Texts.of(["a", None, "NA"])).tolist() == [True, False, False]
    assert has_target(np.array([1.0, np.nan])).tolist() == [True, False]
