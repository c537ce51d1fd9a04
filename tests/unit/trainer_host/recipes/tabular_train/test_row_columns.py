from collections.abc import Iterator, Sequence

import numpy as np

from trainer_host.recipes.tabular_train.row_columns import read_rows
from trainer_host.recipes.tabular_train.sources import TypedSource
from trainer_host.recipes.tabular_train.texts import Texts


class CountedSource(TypedSource):
    """Counts how often it is read."""

    num_passes = 0

    def rows(self) -> Iterator[Sequence[str]]:
        self.num_passes += 1
        return super().rows()


def test_a_column_that_is_text_after_many_numbers_is_whole() -> None:
    values = [*range(9000), "x"]
    column = read_rows(TypedSource(["a"], [values]), ["a"], ()).by_name["a"]
    assert isinstance(column, Texts)
    assert list(column) == [str(value) for value in values]


def test_a_table_of_numbers_is_read_once_and_one_with_texts_twice() -> None:
    numbers = CountedSource(["a", "t"], [[1, 2], ["x", "y"]])
    read_rows(numbers, ["a", "t"], ("t",))
    assert numbers.num_passes == 1, "a column that is known to be text needs no second pass"
    texts = CountedSource(["a", "t"], [[1, 2], ["x", "y"]])
    read_rows(texts, ["a", "t"], ())
    assert texts.num_passes == 2


def test_rows_and_order_are_kept() -> None:
    found = read_rows(TypedSource(["a", "b", "c"], [[1, None], ["x", "y"], [3, 4]]), ["c", "a"], ())
    assert (found.num_rows, list(found.by_name)) == (2, ["a", "c"])
    np.testing.assert_array_equal(np.stack([np.asarray(found.by_name[name]) for name in "ac"]), [[1, np.nan], [3, 4]])
