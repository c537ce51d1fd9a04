"""scikit-learn's trees, in the few types that this recipe needs: the one place that imports them.

Each is grown some trees at a time, so that a wish to stop is seen in between. The numbers do not depend on how many at
a time, nor on the number of threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from torch import Tensor

from trainer_host.recipes.tabular_train import limits

Matrix = NDArray[np.float32]
Targets = NDArray[np.int64] | NDArray[np.float64]
Answers = NDArray[np.float64]

_PARTS = 5


class _Estimator(Protocol):
    def fit(self, features: Matrix, targets: Targets, /) -> object: ...
    def predict(self, features: Matrix, /) -> Answers: ...
    def set_params(self, **params: int | bool) -> object: ...


class _Boosting(_Estimator, Protocol):
    n_iter_: int


class _Forest(_Estimator, Protocol):
    oob_decision_function_: Answers
    oob_prediction_: Answers


@dataclass(frozen=True, slots=True)
class TreeTeacher:
    """A grown forest.

    Attributes:
        forest: answers any rows.
        own_answers: to the rows it was grown on, each from the trees that did not see the row: rows x classes of
            probabilities, or rows x 1 of numbers.
    """

    forest: _Forest
    own_answers: Answers


def as_trees_take_them(targets: Tensor) -> Targets:
    """Classes as int64, or standardised numbers as float64: one dimension."""
    if targets.is_floating_point():
        numbers: NDArray[np.float64] = targets.numpy().reshape(-1).astype(np.float64)
        return numbers
    classes: NDArray[np.int64] = targets.numpy()
    return classes


def boosted_iterations(num_classes: int) -> int:
    """Iterations of boosting: fewer where each of them grows a tree for each of many classes."""
    trees = 1 if num_classes <= 2 else num_classes
    return min(limits.BOOSTED_ITERATIONS, max(limits.BOOSTED_LEAST_ITERATIONS, limits.BOOSTED_TREES // trees))


def boosted_rows(num_features: int, num_classes: int) -> int:
    """Rows that boosting may look at."""
    trees = boosted_iterations(num_classes) * (1 if num_classes <= 2 else num_classes)
    return max(limits.BOOSTED_LEAST_ROWS, limits.BOOSTED_CELLS // (trees * num_features))


def boosted_answers(
    train: Matrix, targets: Targets, test: Matrix, *, num_classes: int, seed: int, check_stop: Callable[[], None]
) -> Answers:
    """What histogram gradient boosting with scikit-learn's defaults answers to test rows: classes, or numbers.

    Args:
        train: rows x features.
        targets: class of each row as an integer, or its number.
        test: rows x features.
        num_classes: 0 for a regression.
        seed: of its random choices.
        check_stop: called between parts of the work.
    """
    make = HistGradientBoostingClassifier if num_classes else HistGradientBoostingRegressor
    model: _Boosting = make(warm_start=True, random_state=seed)
    iterations = boosted_iterations(num_classes)
    for wanted in _steps(iterations):
        check_stop()
        model.set_params(max_iter=wanted)
        model.fit(train, targets)
        if model.n_iter_ < wanted:
            break
    check_stop()
    return model.predict(test)


def grow_teacher(
    train: Matrix, targets: Targets, *, is_classification: bool, seed: int, check_stop: Callable[[], None]
) -> TreeTeacher:
    """A random forest; arguments as for `boosted_answers`."""
    make = RandomForestClassifier if is_classification else RandomForestRegressor
    depth = limits.FOREST_DEPTH_CLASSES if is_classification else limits.FOREST_DEPTH_NUMBERS
    most = limits.FOREST_ROWS_A_TREE
    forest: _Forest = make(
        max_depth=depth, warm_start=True, random_state=seed, max_samples=most if train.shape[0] > most else None
    )
    for wanted in _steps(limits.FOREST_TREES):
        check_stop()
        # The answers to its own rows only mean something once all trees are there.
        forest.set_params(n_estimators=wanted, oob_score=wanted == limits.FOREST_TREES)
        forest.fit(train, targets)
    own = forest.oob_decision_function_ if is_classification else forest.oob_prediction_
    return TreeTeacher(forest, own.reshape(train.shape[0], -1))


def _steps(total: int) -> list[int]:
    return [total * part // _PARTS for part in range(1, _PARTS + 1)]
