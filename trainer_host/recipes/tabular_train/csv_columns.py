"""Columns out of a large CSV file, read by polars some MiB at a time, with the same result as cell by cell.

A column is taken for numeric until a value is not a number. What has been read of it until then is gone by that time,
so a column that turns out to be text late is read in a second pass; most are known from the first block on.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from headway.contract.limits import FIELD_MAX_BYTES
from trainer_host.recipes.tabular_train.cells import Numbers
from trainer_host.recipes.tabular_train.csv_blocks import Unclear, check_fields, read_blocks
from trainer_host.recipes.tabular_train.row_columns import Columns
from trainer_host.recipes.tabular_train.series import codes_of, numbers_of
from trainer_host.recipes.tabular_train.sources import CsvSource
from trainer_host.recipes.tabular_train.texts import CodeBook, Texts


def read_csv(source: CsvSource, wanted: Sequence[str], as_text: Collection[str]) -> Columns | None:
    """Read the wanted columns; those in `as_text` are texts even when every value is a number.

    Returns:
        None when the file is not one that this reader reads exactly: the other one must read it, and say what is wrong.
    """
    try:
        return _read(source, wanted, as_text)
    except Unclear:
        return None


def _read(source: CsvSource, wanted: Sequence[str], as_text: Collection[str]) -> Columns:
    positions = {name: position for position, name in enumerate(source.columns) if name in wanted}
    numbers: dict[str, list[Numbers]] = {name: [] for name in positions if name not in as_text}
    sinks = {name: _Sink() for name in positions if name in as_text}
    late: set[str] = set()
    num_rows = 0
    for frame in _frames(source, positions.values()):
        for name in list(numbers):
            values = numbers_of(frame[str(positions[name])])
            if values is not None:
                numbers[name].append(values)
                continue
            del numbers[name]
            if num_rows:
                late.add(name)
            else:
                sinks[name] = _Sink()
        for name, sink in sinks.items():
            sink.feed(frame[str(positions[name])])
        num_rows += frame.height
    sinks |= _read_late(source, {name: positions[name] for name in positions if name in late})
    by_name = {name: sinks[name].texts() if name in sinks else _joined(numbers[name]) for name in positions}
    return Columns(num_rows, by_name)


def _read_late(source: CsvSource, positions: dict[str, int]) -> "dict[str, _Sink]":
    sinks = {name: _Sink() for name in positions}
    for frame in _frames(source, positions.values()) if positions else ():
        for name, sink in sinks.items():
            sink.feed(frame[str(positions[name])])
    return sinks


def _frames(source: CsvSource, positions: Collection[int]) -> Iterator[pl.DataFrame]:
    """Some columns of each block as texts, named by their position; the header is left out."""
    num_columns = len(source.columns)
    num_skipped = 1
    for block in read_blocks(source.path):
        rows, num_rows = check_fields(block, source.delimiter, num_columns)
        if num_rows > num_skipped:
            frame = _parse(rows, source.delimiter, num_columns)
            if frame.height != num_rows:
                raise Unclear
            yield frame.select([str(position) for position in positions])[num_skipped:]
        num_skipped = max(0, num_skipped - num_rows)


def _parse(rows: bytes, delimiter: str, num_columns: int) -> pl.DataFrame:
    try:
        frame = pl.read_csv(
            rows,
            has_header=False,
            schema={str(position): pl.String for position in range(num_columns)},
            separator=delimiter,
            quote_char='"' if b'"' in rows else None,
            empty_string_is_null=False,
            extra_columns="raise",
        )
    except pl.exceptions.PolarsError:
        raise Unclear from None
    if max(frame.select(pl.all().str.len_bytes().max()).row(0)) >= FIELD_MAX_BYTES:
        raise Unclear
    return frame


@dataclass(slots=True)
class _Sink:
    """Collects a text column."""

    codes: list[NDArray[np.int32]] = field(default_factory=list)
    book: CodeBook = field(default_factory=CodeBook)

    def feed(self, cells: pl.Series) -> None:
        self.codes.append(codes_of(cells, self.book))

    def texts(self) -> Texts:
        codes = np.concatenate(self.codes) if self.codes else np.zeros(0, dtype=np.int32)
        return Texts(codes, self.book.words)


def _joined(parts: list[Numbers]) -> Numbers:
    joined = np.concatenate(parts) if parts else np.zeros(0)
    parts.clear()
    return joined
