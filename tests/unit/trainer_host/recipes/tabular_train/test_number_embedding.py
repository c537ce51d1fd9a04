import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer_host.recipes.tabular_train.number_embedding import encode, fit_edges


def numbers(*values: float) -> "np.typing.NDArray[np.float32]":
    return np.array(values, dtype=np.float32)


def test_bins_hold_as_many_rows_each() -> None:
    values = np.sort(np.random.default_rng(0).exponential(size=1601)).astype(np.float32)

    edges = fit_edges(values, 16)

    counts = np.histogram(values, edges)[0]
    assert len(edges) == 17
    assert counts.min() >= 99
    assert counts.max() <= 101


def test_a_bin_is_0_before_it_1_after_it_and_a_share_within() -> None:
    edges = (0.0, 1.0, 3.0, 4.0)
    assert encode(numbers(0.5, 2.0, 3.75), edges).tolist() == [[0.5, 0, 0], [1, 0.5, 0], [1, 1, 0.75]]


def test_the_outer_bins_go_on_outwards() -> None:
    assert encode(numbers(-1.0, 6.0), (0.0, 1.0, 3.0)).tolist() == [[-1, 0], [1, 2.5]]


def test_values_that_occur_often_are_one_edge() -> None:
    values = numbers(*[0.0] * 90, *range(1, 11))
    assert fit_edges(values, 4) == ()
    assert fit_edges(values, 20) == (0.0, 5.0, 10.0)


def test_a_constant_or_two_valued_column_has_no_bins() -> None:
    assert fit_edges(numbers(3.0, 3.0, 3.0), 16) == ()
    assert fit_edges(numbers(*[0.0, 1.0] * 20), 16) == ()
    assert fit_edges(numbers(1.0), 16) == ()


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60),
    st.integers(1, 16),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
)
def test_every_value_has_a_finite_encoding_that_grows_with_it(
    train: list[float], max_bins: int, values: list[float]
) -> None:
    edges = fit_edges(numbers(*train), max_bins)
    if not edges:
        return

    encoded = encode(numbers(*sorted(values)), edges)

    assert encoded.shape == (len(values), len(edges) - 1)
    assert np.isfinite(encoded).all()
    assert (np.diff(encoded, axis=0) >= 0).all()
    assert len(edges) <= max_bins + 1
