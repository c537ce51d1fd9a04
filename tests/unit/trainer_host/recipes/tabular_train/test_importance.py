import numpy as np
import pytest
from numpy.typing import NDArray

from headway.contract.recipes import StopRequested
from trainer_host.recipes.tabular_train.importance import column_importances, importance_rows, repeats

FEATURES = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
BLOCKS = {"noise": range(1), "weak": range(1, 2), "strong": range(2, 4)}


def loss_of(features: NDArray[np.float32]) -> float:
    """Of a model that looks at "strong" and a little at "weak"."""
    wanted = FEATURES[:, 2] + FEATURES[:, 3] + 0.2 * FEATURES[:, 1]
    answered = features[:, 2] + features[:, 3] + 0.2 * features[:, 1]
    return float(((wanted - answered) ** 2).mean())


def never() -> None:
    """Nobody wishes to stop."""


def test_columns_are_ranked_by_what_the_loss_rises_without_them() -> None:
    before = FEATURES.copy()
    found = column_importances(FEATURES, BLOCKS, loss_of, num_repeats=5, seed=0, check_stop=never)

    assert [one.column for one in found] == ["strong", "weak", "noise"]
    assert found[0].importance == pytest.approx(4, rel=0.2), "the variance of both features, twice"
    assert found[1].importance == pytest.approx(0.08, rel=0.3)
    assert found[2].importance == 0
    np.testing.assert_array_equal(FEATURES, before)


def test_features_of_one_column_are_shuffled_together() -> None:
    """A loss that only sees whether the two still belong together."""
    pairs = np.repeat(np.arange(50, dtype=np.float32)[:, None], 2, axis=1)

    def torn(features: NDArray[np.float32]) -> float:
        return float((features[:, 0] != features[:, 1]).mean())

    [one] = column_importances(pairs, {"pair": range(2)}, torn, num_repeats=3, seed=0, check_stop=never)
    assert one.importance == 0


def test_the_same_seed_finds_the_same() -> None:
    first, second, other = (
        column_importances(FEATURES, BLOCKS, loss_of, num_repeats=2, seed=seed, check_stop=never) for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


def test_a_loss_that_is_not_finite_counts_as_no_rise() -> None:
    def breaks(features: NDArray[np.float32]) -> float:
        return 0.0 if np.array_equal(features, FEATURES) else float("inf")

    [*found] = column_importances(FEATURES, BLOCKS, breaks, num_repeats=2, seed=0, check_stop=never)
    assert {one.importance for one in found} == {0.0}


def test_a_wish_to_stop_is_seen_between_columns() -> None:
    def stop() -> None:
        raise StopRequested("CANCEL")

    with pytest.raises(StopRequested):
        column_importances(FEATURES, BLOCKS, loss_of, num_repeats=1, seed=0, check_stop=stop)


def test_what_would_take_long_is_done_less_often_or_not_at_all() -> None:
    assert repeats(360, 64, 26_000) == 5
    assert repeats(2_000, 50, 26_000) == 1
    assert repeats(2_000, 10_000, 1_000_000) == 0
    assert importance_rows(50) == 50
    assert importance_rows(1_000_000) == 2_000
