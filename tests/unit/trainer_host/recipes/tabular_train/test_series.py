import numpy as np
import polars as pl
import pytest

from trainer_host.recipes.tabular_train.series import codes_of, numbers_of
from trainer_host.recipes.tabular_train.texts import CodeBook


def test_plain_and_unusual_numbers_are_read_side_by_side() -> None:
    values = numbers_of(pl.Series(["1", " 2 ", "NA", "", "-1e3", "٣"]))
    assert values is not None
    np.testing.assert_array_equal(values, [1, 2, np.nan, np.nan, -1000, 3])


@pytest.mark.parametrize("cell", ["x", "inf", "1e999", "1_0", "0x1", "1,5"])
def test_one_text_makes_the_column_no_number(cell: str) -> None:
    assert numbers_of(pl.Series(["1", "", cell, "2"])) is None


def test_codes_go_on_from_one_piece_of_a_column_to_the_next() -> None:
    book = CodeBook()
    first = codes_of(pl.Series(["a", "b", "a", None, "na"]), book)
    second = codes_of(pl.Series([" b", "c", ""]), book)
    assert first.tolist() == [0, 1, 0, -1, -1]
    assert second.tolist() == [1, 2, -1]
    assert book.words == ["a", "b", "c"]


def test_a_piece_without_any_value_has_no_codes() -> None:
    assert codes_of(pl.Series([None, None], dtype=pl.String), CodeBook()).tolist() == [-1, -1]
