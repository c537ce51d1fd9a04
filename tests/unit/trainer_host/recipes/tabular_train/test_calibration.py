import numpy as np
import pytest

from trainer_host.recipes.tabular_train.calibration import (
    calibration_bins,
    expected_calibration_error,
    probabilities_of,
)


def test_probabilities_of_a_row_sum_to_one_however_large_its_logits() -> None:
    probabilities = probabilities_of(np.array([[1e4, 0.0], [0.0, 0.0]], dtype=np.float32))
    assert probabilities.tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_the_error_is_the_distance_of_confidence_and_accuracy() -> None:
    """Ten rows at 0.9, of which 5 are right; ten at 0.6, of which 6 are."""
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    truth = np.array([0] * 5 + [1] * 5 + [0] * 6 + [1] * 4)

    bins = calibration_bins(probabilities, truth)

    assert [(one.num_rows, one.accuracy) for one in bins] == [(10, 0.6), (10, 0.5)]
    assert expected_calibration_error(bins) == pytest.approx(0.5 * 0.4 + 0.5 * 0)


def test_certainty_falls_into_the_last_bin() -> None:
    [only] = calibration_bins(np.array([[1.0, 0.0]]), np.array([0]))
    assert (only.upper, only.confidence, only.accuracy) == (1.0, 1.0, 1.0)


def test_without_rows_there_is_no_error() -> None:
    assert expected_calibration_error(()) == 0
