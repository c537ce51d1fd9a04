import numpy as np

from trainer_host.recipes.tabular_train.comparison import is_clearly_better


def wrong(num_wrong: int, num_rows: int = 100) -> "np.typing.NDArray[np.float64]":
    return np.array([1.0] * num_wrong + [0.0] * (num_rows - num_wrong))


def test_a_difference_beyond_luck_is_seen() -> None:
    assert is_clearly_better(wrong(2), wrong(12))


def test_one_row_more_or_less_is_luck() -> None:
    assert not is_clearly_better(wrong(4), wrong(5))
    assert not is_clearly_better(wrong(5), wrong(5))


def test_a_worse_candidate_is_not_better() -> None:
    assert not is_clearly_better(wrong(12), wrong(2))


def test_few_rows_prove_nothing() -> None:
    assert not is_clearly_better(wrong(0, 10), wrong(10, 10))


def test_the_luck_of_one_outlier_is_no_proof() -> None:
    errors = np.ones(50)
    with_outlier = errors.copy()
    with_outlier[0] = 1000
    assert not is_clearly_better(errors, with_outlier)
