"""Permutation importance: how much worse a model answers when one column of the table is shuffled."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer_host.recipes.tabular_train.limits import IMPORTANCE_OPERATIONS, IMPORTANCE_REPEATS, IMPORTANCE_ROWS

Matrix = NDArray[np.float32]


class ColumnImportance(BaseModel):
    """What one column of the table is worth to the model."""

    model_config = ConfigDict(frozen=True)

    column: str
    importance: float
    """Rise of the loss when the column's values are shuffled among the test rows, mean over some shuffles: near 0 for a
    column that the model does not use."""
    deviation: float
    """Standard deviation over the shuffles."""


def importance_rows(num_rows: int) -> int:
    """Rows that importance is measured on, the first ones of the test part."""
    return min(num_rows, IMPORTANCE_ROWS)


def repeats(num_rows: int, num_columns: int, num_parameters: int) -> int:
    """Shuffles of each column; 0 where even one would take too long."""
    once = num_rows * num_columns * num_parameters
    return min(IMPORTANCE_REPEATS, IMPORTANCE_OPERATIONS // max(1, once))


def column_importances(
    features: Matrix,
    blocks: Mapping[str, range],
    loss_of: Callable[[Matrix], float],
    *,
    num_repeats: int,
    seed: int,
    check_stop: Callable[[], None],
) -> tuple[ColumnImportance, ...]:
    """Importance of each column, the greatest first.

    All features that were made of a column are shuffled together: parts of a date, categories of a text.

    Args:
        features: rows x plain features; not changed.
        blocks: features of each column.
        loss_of: the model's loss for such rows; not finite ones count as no rise.
        num_repeats: shuffles of each column, at least 1.
        seed: of the shuffles.
        check_stop: called between two columns.

    Source:
        Breiman, "Random forests", 2001; Fisher and others, "All models are wrong, but many are useful", 2019.
    """
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(features.shape[0]) for _ in range(num_repeats)]
    loss = loss_of(features)
    found = []
    for column, places in blocks.items():
        check_stop()
        shuffled = features.copy()
        rises = []
        for order in orders:
            shuffled[:, places] = features[order][:, places]
            rises.append(loss_of(shuffled) - loss)
        finite = np.nan_to_num(np.array(rises), nan=0.0, posinf=0.0, neginf=0.0)
        found.append(ColumnImportance(column=column, importance=float(finite.mean()), deviation=float(finite.std())))
    return tuple(sorted(found, key=lambda one: -one.importance))
