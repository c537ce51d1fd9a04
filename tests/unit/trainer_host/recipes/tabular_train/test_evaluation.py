import numpy as np
import pytest
from sklearn import metrics as reference

from trainer_host.recipes.tabular_train.evaluation import classification_figures, finite, regression_figures


def test_the_figures_of_a_classification_are_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    truth, logits = generator.integers(0, 4, 200), generator.normal(size=(200, 4)).astype(np.float32)
    logits[np.arange(200), truth] += 1
    predicted = logits.argmax(axis=1)

    figures = classification_figures(logits, truth, truth, ("a", "b", "c", "d"))

    assert figures.metric_name == "accuracy"
    assert figures.metric_value == pytest.approx(reference.accuracy_score(truth, predicted))
    assert figures.scalars["macro_f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert figures.scalars["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert figures.confusion_matrix == tuple(map(tuple, reference.confusion_matrix(truth, predicted).tolist()))
    precision, recall, f1, support = reference.precision_recall_fscore_support(truth, predicted)
    for index, row in enumerate(figures.per_class):
        assert (row.precision, row.recall, row.f1) == pytest.approx((precision[index], recall[index], f1[index]))
        assert row.support == support[index]


def test_the_baseline_always_answers_the_most_frequent_class() -> None:
    figures = classification_figures(np.eye(2, dtype=np.float32), np.array([0, 1]), np.array([1, 1, 0]), ("a", "b"))
    assert figures.baseline_value == 0.5


def test_a_class_without_test_rows_has_zeros_and_does_not_count_in_means() -> None:
    logits = np.array([[2.0, 0, 0], [0, 2.0, 0]], dtype=np.float32)
    figures = classification_figures(logits, np.array([0, 1]), np.array([0, 1, 2]), ("a", "b", "c"))

    assert (figures.scalars["macro_f1"], figures.scalars["balanced_accuracy"]) == (1.0, 1.0)
    assert (figures.per_class[2].precision, figures.per_class[2].support) == (0.0, 0)


def test_the_figures_of_a_regression_are_scikit_learns_in_the_targets_unit() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(100, 20, 200)
    predicted = truth + generator.normal(0, 5, 200)
    outputs = ((predicted - 100) / 20).astype(np.float32)[:, None]

    figures = regression_figures(outputs, truth, truth, mean=100.0, scale=20.0)

    assert figures.metric_name == "rmse"
    assert figures.metric_value == pytest.approx(reference.root_mean_squared_error(truth, predicted), rel=1e-5)
    assert figures.scalars["mae"] == pytest.approx(reference.mean_absolute_error(truth, predicted), rel=1e-5)
    assert figures.scalars["r2"] == pytest.approx(reference.r2_score(truth, predicted), rel=1e-5)
    assert figures.baseline_value == pytest.approx(truth.std())


def test_a_test_part_of_one_row_has_no_r2() -> None:
    train = np.array([1.0, 2.0])
    figures = regression_figures(np.zeros((1, 1), np.float32), np.array([3.0]), train, mean=1.5, scale=0.5)
    assert "r2" not in figures.scalars
    assert figures.metric_value == pytest.approx(1.5)


def test_what_json_cannot_hold_is_none() -> None:
    assert [finite(value) for value in (1.0, float("nan"), float("inf"))] == [1.0, None, None]
