"""The target: which task it sets, and its values as the model learns them."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from headway.contract.recipes import UserInputFailure
from headway.v1.job_specs_pb2 import TABULAR_TASK_AUTO, TABULAR_TASK_REGRESSION, TabularTask
from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.fitting import mean_and_scale
from trainer_host.recipes.tabular_train.limits import LEAST_ROWS, MAX_CLASSES
from trainer_host.recipes.tabular_train.preprocess import TargetColumn
from trainer_host.recipes.tabular_train.texts import Texts

Task = Literal["classification", "regression"]

DISTINCT_FOR_REGRESSION = 20
SHARE_DISTINCT_FOR_REGRESSION = 0.05


@dataclass(frozen=True, slots=True)
class Labels:
    """The target of every row, before anything is fitted.

    Attributes:
        column: its name.
        task: what it sets.
        classes: labels in order; empty for a regression.
        indices: class of each row; empty for a regression.
        values: number of each row; empty for a classification.
    """

    column: str
    task: Task
    classes: tuple[str, ...]
    indices: NDArray[np.int64]
    values: Numbers


def read_target(column: str, values: Numbers | Texts, asked: "TabularTask.ValueType") -> Labels:
    """Read the target of rows that all have one.

    Raises:
        UserInputFailure: NOT_ENOUGH_ROWS, DEGENERATE_TARGET, TARGET_NOT_NUMERIC or TOO_MANY_CLASSES.
    """
    num_rows = int(has_target(values).sum())
    if not num_rows:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} has no value in any row")
    if num_rows < LEAST_ROWS:
        message = f"{num_rows} rows have a target; training needs at least {LEAST_ROWS}"
        raise UserInputFailure("NOT_ENOUGH_ROWS", message)
    numbers = _as_numbers(values) if isinstance(values, Texts) else values
    if asked == TABULAR_TASK_REGRESSION or (asked == TABULAR_TASK_AUTO and is_regression(numbers)):
        if numbers is None:
            raise _not_numeric(column, values)
        return _regression(column, numbers)
    return _classification(column, values if numbers is None else numbers)


def has_target(values: Numbers | Texts) -> NDArray[np.bool_]:
    """Of each row, whether it has one."""
    present: NDArray[np.bool_] = ~(values.is_absent if isinstance(values, Texts) else np.isnan(values))
    return present


def is_regression(numbers: Numbers | None) -> bool:
    """The rule for task AUTO: all targets numeric, and more than max(20, 5 % of rows) of them distinct."""
    if numbers is None:
        return False
    limit = max(DISTINCT_FOR_REGRESSION, SHARE_DISTINCT_FOR_REGRESSION * numbers.size)
    return bool(np.unique(numbers).size > limit)


def fit_target(labels: Labels, train: NDArray[np.int64]) -> TargetColumn:
    """The target's part of the preprocessing, fitted on the training rows.

    Raises:
        UserInputFailure: DEGENERATE_TARGET: the training rows all have the same number.
    """
    if labels.task == "classification":
        return TargetColumn(column=labels.column, task="classification", classes=labels.classes)
    values = labels.values[train]
    if np.ptp(values / 2) == 0:
        raise UserInputFailure(
            "DEGENERATE_TARGET", f"the target {echo(labels.column)} is the same in every training row"
        )
    mean, scale = mean_and_scale(values)
    return TargetColumn(column=labels.column, task="regression", mean=mean, scale=scale)


def _as_numbers(texts: Texts) -> Numbers | None:
    """The numbers of texts that are all numbers."""
    readings = [parse_number(word) for word in texts.words]
    if any(reading is None for reading in readings):
        return None
    return texts.spread(np.array(readings, dtype=np.float64), math.nan)


def _not_numeric(column: str, values: Numbers | Texts) -> UserInputFailure:
    words = values.present() if isinstance(values, Texts) else []
    culprit = next((word for word in words if parse_number(word) is None), "")
    message = f"the target {echo(column)} holds {echo(culprit)}, which is not a number; mend it, or leave it empty"
    return UserInputFailure("TARGET_NOT_NUMERIC", message)


def _regression(column: str, numbers: Numbers) -> Labels:
    if np.unique(numbers).size == 1:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} is {numbers[0]:g} in every row")
    return Labels(column, "regression", (), np.zeros(0, dtype=np.int64), numbers)


def _classification(column: str, values: Numbers | Texts) -> Labels:
    of_row = values.codes if isinstance(values, Texts) else values
    distinct, indices = np.unique(of_row, return_inverse=True)
    if distinct.size == indices.size:
        raise UserInputFailure(
            "DEGENERATE_TARGET", f"the target {echo(column)} is different in every row, so no class can be learned"
        )
    if distinct.size > MAX_CLASSES:
        raise UserInputFailure(
            "TOO_MANY_CLASSES",
            f"the target {echo(column)} has {distinct.size} classes; at most {MAX_CLASSES}. If it is an amount, "
            "ask for the task regression",
        )
    names = _labels(values, distinct.tolist())
    if len(names) == 1:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} is {echo(names[0])} in every row")
    # Numbers are in order by now; texts are in the order of the file.
    order = sorted(range(len(names)), key=names.__getitem__) if isinstance(values, Texts) else list(range(len(names)))
    places = np.argsort(np.array(order, dtype=np.int64))
    return Labels(column, "classification", tuple(names[place] for place in order), places[indices], np.zeros(0))


def _labels(values: Numbers | Texts, distinct: list[int] | list[float]) -> list[str]:
    """The label of each value; "1", "1.0" and "01" are one when all labels are numbers."""
    if isinstance(values, Texts):
        return [values.words[int(code)] for code in distinct]
    return [str(int(value)) if float(value).is_integer() else repr(value) for value in distinct]
