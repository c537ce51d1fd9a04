import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer_host.recipes.tabular_train.cells import Numbers
from trainer_host.recipes.tabular_train.fitting import fit, mean_and_scale
from trainer_host.recipes.tabular_train.preprocess import TargetColumn
from trainer_host.recipes.tabular_train.table import Table

TARGET = TargetColumn(column="y", task="classification", classes=("a", "b"))
columns = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6, allow_subnormal=False))
wild_columns = arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_nan=False, allow_infinity=False))


@given(columns)
def test_the_median_is_numpys(values: Numbers) -> None:
    preprocess, _ = fit(Table(values.size, {"x": values}, {}), target=TARGET, dates=(), excluded=())
    np.testing.assert_allclose(preprocess.numeric[0].median, np.median(values), rtol=1e-12, atol=1e-300)


@given(columns)
def test_mean_and_deviation_are_numpys(values: Numbers) -> None:
    mean, scale = mean_and_scale(values)
    np.testing.assert_allclose(mean, values.mean(), rtol=1e-9, atol=1e-9)
    if values.std() > 1e-9 * np.abs(values).max():
        np.testing.assert_allclose(scale, values.std(), rtol=1e-6)


@given(wild_columns)
def test_features_are_finite_for_all_finite_numbers(values: Numbers) -> None:
    table = Table(values.size, {"x": values}, {})
    preprocess, _ = fit(table, target=TARGET, dates=(), excluded=())
    assert np.isfinite(preprocess.features(table)).all()
