"""Columns out of polars' series: numbers where every value is one, else texts; exactly as one cell at a time."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.texts import ABSENT, CodeBook


def numbers_of(cells: pl.Series) -> Numbers | None:
    """The numbers that a column of cells holds, NaN where there is none; None when one of them is a text.

    polars reads plain numbers as Python does. What it cannot read, or reads as something that is not finite, is
    looked at by the rule for one cell: absent values, and numbers with white space around them.
    """
    values: Numbers = cells.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    odd = ~np.isfinite(values)
    if not odd.any():
        return values
    chosen = cells.filter(pl.Series(odd))
    distinct = chosen.unique(maintain_order=True)
    readings = []
    for cell in distinct.to_list():
        reading = parse_number(cell)
        if reading is None:
            return None
        readings.append(reading)
    values[odd] = np.array(readings)[_places(chosen, distinct)]
    return values


def codes_of(cells: pl.Series, book: CodeBook) -> NDArray[np.int32]:
    """The code of each cell; null is absent."""
    distinct = cells.unique(maintain_order=True).drop_nulls()
    return codes_of_texts(cells, distinct, distinct.to_list(), book)


def codes_of_texts(values: pl.Series, distinct: pl.Series, texts: Sequence[str], book: CodeBook) -> NDArray[np.int32]:
    """The code of each value. Args: distinct: its different values. texts: what they print as."""
    of_distinct = np.fromiter(map(book.__getitem__, texts), dtype=np.int32, count=len(texts))
    # A null has no place, so it takes the last.
    return np.append(of_distinct, np.int32(ABSENT))[_places(values, distinct)]


def _places(values: pl.Series, distinct: pl.Series) -> NDArray[np.int32]:
    positions = pl.int_range(0, len(distinct), dtype=pl.Int32, eager=True)
    if not len(distinct):
        return np.full(len(values), -1, dtype=np.int32)
    return values.replace_strict(distinct, positions, default=-1, return_dtype=pl.Int32).to_numpy()
