"""The figures of a trained model: what a user expects to see beside the loss."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from trainer_host.recipes.tabular_train.calibration import (
    CalibrationBin,
    calibration_bins,
    expected_calibration_error,
    probabilities_of,
)
from trainer_host.recipes.tabular_train.importance import ColumnImportance

METRICS_PATH = "metrics.json"

Outputs = NDArray[np.float32]
Counts = NDArray[np.float64] | NDArray[np.int64]


class ClassReport(BaseModel):
    """How well one class is told from the others, on the test rows."""

    model_config = ConfigDict(frozen=True)

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Test rows of this class."""


class EpochEntry(BaseModel):
    """One epoch of `history`."""

    model_config = ConfigDict(frozen=True)

    epoch: int
    train_loss: float | None
    validation_loss: float | None = None


class BoostedTree(BaseModel):
    """Histogram gradient boosting with scikit-learn's defaults, trained on the same rows to compare with."""

    model_config = ConfigDict(frozen=True)

    metric_value: float
    """Its test metric: what test_metric_value is for the model."""
    num_rows: int
    """Training rows that it saw."""
    is_clearly_better: bool
    """Better than the model, and by more than luck explains."""


class TestFigures(BaseModel):
    """Figures of the test rows that depend on the task."""

    model_config = ConfigDict(frozen=True)

    metric_name: Literal["accuracy", "rmse"]
    metric_value: float
    baseline_value: float
    """The same metric for always answering the most frequent class, or the mean, of the training rows."""
    scalars: dict[str, float]
    """Further figures by name."""
    per_class: tuple[ClassReport, ...] = ()
    confusion_matrix: tuple[tuple[int, ...], ...] = ()
    """Rows are true classes, columns predicted ones, in the order of per_class."""
    calibration: tuple[CalibrationBin, ...] = ()


class Metrics(BaseModel):
    """`metrics.json`."""

    model_config = ConfigDict(frozen=True)

    task: Literal["classification", "regression"]
    train_loss: float
    test_loss: float
    validation_loss: float | None
    """None where no rows were held out for validation."""
    test_metric_name: Literal["accuracy", "rmse"]
    test_metric_value: float
    baseline_value: float
    best_epoch: int
    num_epochs: int
    num_steps: int
    num_rows: dict[str, int]
    """Rows by what they were used for: `train`, `validation`, `test`, and `target_missing`, which were dropped."""
    num_features: int
    num_parameters: int
    scalars: dict[str, float]
    per_class: tuple[ClassReport, ...] = ()
    confusion_matrix: tuple[tuple[int, ...], ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    """Test rows by the probability of their predicted class."""
    importances: tuple[ColumnImportance, ...] = ()
    """Columns of the table, the most important first; empty where it would have taken too long to find out."""
    boosted_tree: BoostedTree | None = None
    """None where none was trained."""
    history: tuple[EpochEntry, ...] = ()


def finite(value: float) -> float | None:
    """The value, or None for one that JSON cannot hold."""
    return value if math.isfinite(value) else None


def classification_figures(
    logits: Outputs, truth: NDArray[np.int64], train: NDArray[np.int64], classes: tuple[str, ...]
) -> TestFigures:
    """Accuracy, per-class report, confusion matrix and calibration.

    Args:
        logits: test rows x classes.
        truth: class of each test row.
        train: class of each training row, for the baseline.
        classes: labels in order.
    """
    num_classes = len(classes)
    predicted = logits.argmax(axis=1)
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits = confusion.diagonal()
    precisions, recalls = _ratio(hits, confusion.sum(axis=0)), _ratio(hits, confusion.sum(axis=1))
    f1s = _ratio(2 * precisions * recalls, precisions + recalls)
    supports = confusion.sum(axis=1)
    seen = supports > 0
    bins = calibration_bins(probabilities_of(logits), truth)
    majority = int(np.bincount(train, minlength=num_classes).argmax())
    return TestFigures(
        metric_name="accuracy",
        metric_value=float((predicted == truth).mean()),
        baseline_value=float((truth == majority).mean()),
        scalars={
            "macro_f1": float(f1s[seen].mean()),
            "balanced_accuracy": float(recalls[seen].mean()),
            "expected_calibration_error": expected_calibration_error(bins),
        },
        per_class=tuple(
            ClassReport(label=label, precision=precision, recall=recall, f1=f1, support=support)
            for label, precision, recall, f1, support in zip(
                classes, precisions.tolist(), recalls.tolist(), f1s.tolist(), supports.tolist(), strict=True
            )
        ),
        confusion_matrix=tuple(tuple(row) for row in confusion.tolist()),
        calibration=bins,
    )


def regression_figures(
    outputs: Outputs, truth: NDArray[np.float64], train: NDArray[np.float64], *, mean: float, scale: float
) -> TestFigures:
    """Errors in the unit of the target.

    Args:
        outputs: test rows x 1, standardised.
        truth: target of each test row, in its own unit.
        train: target of each training row, for the baseline.
        mean: of the standardisation.
        scale: of the standardisation.
    """
    # In units of scale, where squares cannot overflow whatever the unit of the target is.
    errors = outputs[:, 0].astype(np.float64) - (truth / scale - mean / scale)
    deviations = truth / scale - float((train / scale).mean())
    spread = float(((truth / scale - (truth / scale).mean()) ** 2).mean())
    mean_square = float((errors**2).mean())
    scalars = {"mae": float(np.abs(errors).mean()) * scale}
    if spread > 0:
        scalars["r2"] = 1 - mean_square / spread
    return TestFigures(
        metric_name="rmse",
        metric_value=math.sqrt(mean_square) * scale,
        baseline_value=math.sqrt(float((deviations**2).mean())) * scale,
        scalars=scalars,
    )


def _ratio(numerator: Counts, denominator: Counts) -> NDArray[np.float64]:
    """Element by element, 0 where the denominator is: a class never predicted has a precision of 0."""
    numerators, denominators = numerator.astype(np.float64), denominator.astype(np.float64)
    return np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0)
