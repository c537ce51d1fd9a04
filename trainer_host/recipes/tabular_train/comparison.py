"""Compares two models on the same test rows: a difference that luck explains is no difference."""

import math

import numpy as np
from numpy.typing import NDArray

_LEAST_ROWS = 20
_DEVIATIONS = 1.645
"""Of the mean difference: one chance in twenty that two equally good models look so."""


def is_clearly_better(candidate: NDArray[np.float64], model: NDArray[np.float64]) -> bool:
    """Whether a candidate's errors are smaller than a model's by more than noise.

    Args:
        candidate: its error in each test row: 0 or 1, or the square of a difference.
        model: the model's error in the same rows.
    """
    if model.size < _LEAST_ROWS:
        return False
    differences = model - candidate
    mean, deviation = float(differences.mean()), float(differences.std())
    return mean > 0 and mean > _DEVIATIONS * deviation / math.sqrt(model.size)
