"""The target: which task it sets, and its values as the model learns them."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from headway.contract.recipes import UserInputFailure
from headway.v1.job_specs_pb2 import TABULAR_TASK_AUTO, TABULAR_TASK_REGRESSION, TabularTask
from trainer_host.recipes.tabular_train.fitting import mean_and_scale
from trainer_host.recipes.tabular_train.limits import LEAST_ROWS, MAX_CLASSES
from trainer_host.recipes.tabular_train.preprocess import TargetColumn
from trainer_host.recipes.tabular_train.table import Numbers, Texts, parse_number

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


def read_target(column: str, texts: Texts, asked: "TabularTask.ValueType") -> Labels:
    """Read the target of rows that all have one.

    Raises:
        UserInputFailure: NOT_ENOUGH_ROWS, DEGENERATE_TARGET, TARGET_NOT_NUMERIC or TOO_MANY_CLASSES.
    """
    present = [text for text in texts if text is not None]
    if not present:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} has no value in any row")
    if len(present) < LEAST_ROWS:
        raise UserInputFailure(
            "NOT_ENOUGH_ROWS", f"{len(present)} rows have a target; training needs at least {LEAST_ROWS}"
        )
    numbers = _all_numbers(present)
    if asked == TABULAR_TASK_REGRESSION or (asked == TABULAR_TASK_AUTO and is_regression(numbers)):
        if numbers is None:
            culprit = next(text for text in present if parse_number(text) is None)
            raise UserInputFailure(
                "TARGET_NOT_NUMERIC", f"the target {echo(column)} holds {echo(culprit)}, which is not a number"
            )
        return _regression(column, numbers)
    return _classification(column, present, numbers)


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


def _all_numbers(texts: list[str]) -> Numbers | None:
    values = []
    for text in texts:
        value = parse_number(text)
        if value is None or math.isnan(value):
            return None
        values.append(value)
    return np.array(values)


def _regression(column: str, numbers: Numbers) -> Labels:
    if np.unique(numbers).size == 1:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} is {numbers[0]:g} in every row")
    return Labels(column, "regression", (), np.zeros(0, dtype=np.int64), numbers)


def _classification(column: str, texts: list[str], numbers: Numbers | None) -> Labels:
    # "1", "1.0" and "01" are one label when all labels are numbers.
    names = texts if numbers is None else [_label(value) for value in numbers.tolist()]
    counts = Counter(names)
    if len(counts) == 1:
        raise UserInputFailure("DEGENERATE_TARGET", f"the target {echo(column)} is {echo(names[0])} in every row")
    if max(counts.values()) == 1:
        raise UserInputFailure(
            "DEGENERATE_TARGET", f"the target {echo(column)} is different in every row, so no class can be learned"
        )
    if len(counts) > MAX_CLASSES:
        raise UserInputFailure(
            "TOO_MANY_CLASSES", f"the target {echo(column)} has {len(counts)} classes; at most {MAX_CLASSES}"
        )
    classes = tuple(sorted(counts) if numbers is None else sorted(counts, key=float))
    places = {name: place for place, name in enumerate(classes)}
    indices = np.fromiter((places[name] for name in names), dtype=np.int64, count=len(names))
    return Labels(column, "classification", classes, indices, np.zeros(0))


def _label(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
