import math
from collections.abc import Sized

import numpy as np
import pytest

from headway.contract.recipes import UserInputFailure
from trainer_host.recipes.tabular_train.fitting import find_date_formats, fit, mean_and_scale
from trainer_host.recipes.tabular_train.limits import MAX_CATEGORIES, STANDARDISED_LIMIT
from trainer_host.recipes.tabular_train.preprocess import Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.table import Table
from trainer_host.recipes.tabular_train.texts import Texts

TARGET = TargetColumn(column="y", task="classification", classes=("a", "b"))


def a_table(numbers: dict[str, list[float]] | None = None, texts: dict[str, list[str | None]] | None = None) -> Table:
    arrays = {name: np.array(values, dtype=np.float64) for name, values in (numbers or {}).items()}
    columns = {name: Texts.of(cells) for name, cells in (texts or {}).items()}
    lengths: list[Sized] = [*arrays.values(), *columns.values()]
    return Table(num_rows=len(lengths[0]), numbers=arrays, texts=columns)


def fitted(train: Table) -> Preprocess:
    return fit(train, target=TARGET, dates=(), excluded=())[0]


def test_a_number_is_filled_with_the_median_and_standardised_by_the_training_rows() -> None:
    train = a_table({"x": [1.0, 2.0, 9.0, math.nan]})
    preprocess = fitted(train)

    filled = np.array([1.0, 2.0, 9.0, 2.0])
    expected = (filled - filled.mean()) / filled.std()
    np.testing.assert_allclose(preprocess.features(train)[:, 0], expected, rtol=1e-6)


def test_other_rows_do_not_change_what_was_fitted() -> None:
    preprocess = fitted(a_table({"x": [0.0, 2.0]}))
    np.testing.assert_allclose(preprocess.features(a_table({"x": [1.0, 3.0, math.nan]}))[:, 0], [0, 2, 0], atol=1e-6)


def test_a_category_is_one_feature_and_the_unknown_is_none() -> None:
    preprocess = fitted(a_table(texts={"colour": ["red", "blue", "red"]}))

    assert preprocess.feature_names == ("colour=red", "colour=blue")
    features = preprocess.features(a_table(texts={"colour": ["blue", "red", "green", None]}))
    assert features.tolist() == [[0, 1], [1, 0], [0, 0], [0, 0]]


def test_rare_and_absent_categories_share_the_other_feature() -> None:
    many: list[str | None] = [f"c{index:03}" for index in range(MAX_CATEGORIES + 10)]
    train = a_table(texts={"id": [*many, "c000", None]})

    preprocess, warnings = fit(train, target=TARGET, dates=(), excluded=())

    assert len(preprocess.feature_names) == MAX_CATEGORIES + 1
    assert preprocess.feature_names[-1] == "id=(other)"
    assert "'id'" in warnings[0]
    features = preprocess.features(a_table(texts={"id": [many[-1], None, "c000"]}))
    assert features[:, -1].tolist() == [1, 1, 0]
    assert features[:, 0].tolist() == [0, 0, 1]


def test_a_column_without_training_values_is_left_out_and_named() -> None:
    preprocess, warnings = fit(
        a_table({"empty": [math.nan, math.nan], "x": [1.0, 2.0]}), target=TARGET, dates=(), excluded=()
    )
    assert preprocess.feature_names == ("x",)
    assert "'empty'" in warnings[0]


def test_a_constant_column_is_zero() -> None:
    preprocess = fitted(a_table({"x": [7.1, 7.1, 7.1]}))
    assert preprocess.features(a_table({"x": [7.1, 8.1]}))[:, 0].tolist() == pytest.approx([0, 1], abs=1e-6)


def test_a_date_is_replaced_by_its_features() -> None:
    train = a_table(texts={"day": ["2023-01-01", "2023-06-15", None]})
    dates = find_date_formats(train, ("day",))

    preprocess, _ = fit(train, target=TARGET, dates=dates, excluded=())

    assert preprocess.feature_names[0] == "day__year"
    assert preprocess.feature_names[-1] == "day__dayofyear_cos"
    assert len(preprocess.feature_names) == 14
    assert np.isfinite(preprocess.features(train)).all()


def test_values_far_outside_stay_finite() -> None:
    preprocess = fitted(a_table({"x": [0.0, 1.0, 2.0]}))
    features = preprocess.features(a_table({"x": [1.7e308, -1.7e308]}))
    assert features[:, 0].tolist() == [STANDARDISED_LIMIT, -STANDARDISED_LIMIT]


@pytest.mark.parametrize("values", [[1e308, -1e308, 1.7e308], [1e-320, 2e-320, 0.0], [0.0, 0.0], [1e308, 1e308]])
def test_mean_and_deviation_are_finite_for_all_finite_numbers(values: list[float]) -> None:
    mean, scale = mean_and_scale(np.array(values))
    assert math.isfinite(mean)
    assert math.isfinite(scale)
    assert scale > 0
    assert np.isfinite(fitted(a_table({"x": values})).features(a_table({"x": values}))).all()


def test_what_was_fitted_survives_the_file() -> None:
    train = a_table({"x": [1.0, 2.5]}, {"colour": ["red", None], "day": ["2023-01-01", "2024-01-01"]})
    dates = find_date_formats(train, ("day",))
    preprocess, _ = fit(train, target=TARGET, dates=dates, excluded=("z",))

    read = Preprocess.model_validate_json(preprocess.model_dump_json())

    assert read == preprocess
    np.testing.assert_array_equal(read.features(train), preprocess.features(train))


def test_names_of_features_are_unique() -> None:
    preprocess = fitted(a_table({"a=b": [1.0, 2.0]}, {"a": ["b", "b"]}))
    assert preprocess.feature_names == ("a=b", "a=b #2")


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(UserInputFailure) as failure:
        fit(a_table(texts={"y": ["a", "b"]}), target=TARGET, dates=(), excluded=())
    assert failure.value.reason == "NO_FEATURES"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (a_table({"other": [1.0]}), "MISSING_COLUMN"),
        (a_table(texts={"x": ["twelve"]}), "NOT_A_NUMBER"),
    ],
)
def test_a_row_that_does_not_fit_names_the_column(table: Table, reason: str) -> None:
    preprocess = fitted(a_table({"x": [1.0, 2.0]}))
    with pytest.raises(UserInputFailure, match="'x'") as failure:
        preprocess.features(table)
    assert failure.value.reason == reason


def embedded(train: Table) -> Preprocess:
    return fit(train, target=TARGET, dates=(), excluded=(), max_bins=4)[0]


def test_an_embedded_number_is_one_feature_a_bin() -> None:
    train = a_table({"x": [float(value) for value in range(9)], "flag": [0.0, 1.0] * 4 + [0.0]})
    preprocess = embedded(train)

    assert preprocess.feature_names == ("x bin 1", "x bin 2", "x bin 3", "x bin 4", "flag")
    features = preprocess.features(a_table({"x": [0.0, 3.0, 8.0, 10.0], "flag": [0.0, 1.0, 0.0, 1.0]}))
    expected = np.array([[0, 0, 0, 0], [1, 0.5, 0, 0], [1, 1, 1, 1], [1, 1, 1, 2]], dtype=np.float32)
    np.testing.assert_allclose(features[:, :4], expected, atol=1e-5)
    assert features[0, 4] < 0 < features[1, 4], "a column of two values has no bins"


def test_what_was_embedded_survives_the_file() -> None:
    train = a_table({"x": [1.0, 2.5, 4.0, 9.0, math.nan]}, {"colour": ["red", None, "red", "blue", "red"]})
    preprocess = embedded(train)

    read = Preprocess.model_validate_json(preprocess.model_dump_json())

    np.testing.assert_array_equal(read.features(train), preprocess.features(train))
    assert read.plain_features(train).shape == (5, 4)


def test_the_parts_of_a_date_are_not_embedded() -> None:
    train = a_table(texts={"day": [f"20{year}-01-01" for year in range(10, 30)]})
    preprocess = fit(train, target=TARGET, dates=find_date_formats(train, ("day",)), excluded=(), max_bins=16)[0]
    assert len(preprocess.feature_names) == 14


def test_each_column_knows_its_plain_features() -> None:
    train = a_table(
        {"x": [1.0, 2.0, 3.0], "z": [3.0, 2.0, 5.0]},
        {"colour": ["red", "blue", None], "day": ["2023-01-01", "2024-01-01", "2024-05-01"]},
    )
    preprocess = fit(train, target=TARGET, dates=find_date_formats(train, ("day",)), excluded=(), max_bins=8)[0]

    assert preprocess.blocks == {"x": range(1), "z": range(1, 2), "day": range(2, 16), "colour": range(16, 19)}
    assert preprocess.plain_features(train).shape == (3, 19)
