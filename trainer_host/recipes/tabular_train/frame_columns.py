"""Columns out of a typed table, as Parquet and Excel have them."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.row_columns import Columns
from trainer_host.recipes.tabular_train.series import codes_of_texts, numbers_of
from trainer_host.recipes.tabular_train.sources import FrameSource, text_of
from trainer_host.recipes.tabular_train.texts import CodeBook, Texts

_COLUMNS_AT_ONCE = 16
"""So that a large Parquet file is never whole in memory in two forms."""


def read_frame(source: FrameSource, wanted: Sequence[str], as_text: Collection[str]) -> Columns:
    """Read the wanted columns; those in `as_text` are texts even when every value is a number.

    Raises:
        InvalidTable: the file is broken.
    """
    positions = {name: position for position, name in enumerate(source.columns)}
    by_name: dict[str, Numbers | Texts] = {}
    num_rows = 0
    for start in range(0, len(wanted), _COLUMNS_AT_ONCE):
        names = wanted[start : start + _COLUMNS_AT_ONCE]
        frame = source.read([positions[name] for name in names])
        num_rows = frame.height
        for name, values in zip(names, frame.get_columns(), strict=True):
            by_name[name] = _column(values, is_text=name in as_text)
    return Columns(num_rows, by_name)


def _column(values: pl.Series, *, is_text: bool) -> Numbers | Texts:
    """One column: each value counts as the text that it prints as, so that a file may change its format."""
    if not is_text and (values.dtype.is_float() or values.dtype.is_integer()):
        numbers: Numbers = values.cast(pl.Float64).to_numpy().astype(np.float64)
        if not np.isinf(numbers).any():
            return numbers
    if not is_text and values.dtype == pl.String:
        read = numbers_of(values.fill_null(""))
        if read is not None:
            return read
    texts = _texts(values)
    read = None if is_text else _as_numbers(texts)
    return texts if read is None else read


def _texts(values: pl.Series) -> Texts:
    distinct = values.unique(maintain_order=True).drop_nulls()
    book = CodeBook()
    codes = codes_of_texts(values, distinct, [text_of(value) for value in distinct.to_list()], book)
    return Texts(codes, book.words)


def _as_numbers(texts: Texts) -> Numbers | None:
    readings = []
    for word in texts.words:
        reading = parse_number(word)
        if reading is None:
            return None
        readings.append(reading)
    return texts.spread(np.array(readings, dtype=np.float64), math.nan)
