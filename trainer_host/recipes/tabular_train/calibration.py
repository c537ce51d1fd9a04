"""How far a classifier's probabilities can be believed."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer_host.recipes.tabular_train.limits import CALIBRATION_BINS


class CalibrationBin(BaseModel):
    """Test rows whose class was predicted with a probability in one range."""

    model_config = ConfigDict(frozen=True)

    lower: float
    upper: float
    num_rows: int
    confidence: float
    """Mean probability of the predicted class."""
    accuracy: float
    """Share of them that were predicted rightly; in a calibrated model the same."""


def probabilities_of(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax of each row: rows x classes."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def calibration_bins(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[CalibrationBin, ...]:
    """Bins of equal width that hold any rows.

    Args:
        probabilities: rows x classes.
        truth: class of each row.
    """
    confidence = probabilities.max(axis=1)
    hits = probabilities.argmax(axis=1) == truth
    places = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    found = []
    for place in np.unique(places).tolist():
        inside = places == place
        found.append(
            CalibrationBin(
                lower=place / CALIBRATION_BINS,
                upper=(place + 1) / CALIBRATION_BINS,
                num_rows=int(inside.sum()),
                confidence=float(confidence[inside].mean()),
                accuracy=float(hits[inside].mean()),
            )
        )
    return tuple(found)


def expected_calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    """Mean distance of confidence and accuracy, weighted by rows: 0 is perfect, 1 the worst.

    Source: Guo and others, "On calibration of modern neural networks", 2017.
    """
    num_rows = sum(one.num_rows for one in bins)
    return sum(one.num_rows * abs(one.confidence - one.accuracy) for one in bins) / max(1, num_rows)
