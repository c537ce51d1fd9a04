"""Columns out of rows of texts, one cell after the other: for small tables, and whenever the fast way finds a fault.

It takes two passes: the first keeps the columns that turn out to be numeric, as numbers, the second all others, as
texts. So no column is ever held in both forms.
"""

import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.sources import RowSource
from trainer_host.recipes.tabular_train.texts import CodeBook, Texts

_ROWS_A_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of equal length by name: numbers with NaN where a value is absent, or texts."""

    num_rows: int
    by_name: dict[str, Numbers | Texts]


def read_rows(source: RowSource, wanted: Collection[str], as_text: Collection[str]) -> Columns:
    """Read the wanted columns; those in `as_text` are texts even when every value is a number.

    Raises:
        InvalidTable: or a subclass: it is no table; the line is named.
    """
    positions = {name: position for position, name in enumerate(source.columns) if name in wanted}
    probes = {name: _Probe() for name in positions if name not in as_text}
    sinks = {name: _TextSink() for name in positions if name in as_text}
    num_rows = 0
    for cells in _chunks(source):
        num_rows += len(cells[0])
        for name, probe in probes.items():
            probe.feed(cells[positions[name]])
        for name, sink in sinks.items():
            sink.feed(cells[positions[name]])
    late = {name: _TextSink() for name, probe in probes.items() if not probe.is_numeric}
    for cells in _chunks(source) if late else ():
        for name, sink in late.items():
            sink.feed(cells[positions[name]])
    sinks |= late
    return Columns(
        num_rows, {name: sinks[name].texts() if name in sinks else np.array(probes[name].values) for name in positions}
    )


def _chunks(source: RowSource) -> Iterator[list[tuple[str, ...]]]:
    """The rows some thousand at a time, turned into columns: a loop over cells is fastest down a column."""
    rows = source.rows()
    while chunk := list(islice(rows, _ROWS_A_CHUNK)):
        yield list(zip(*chunk, strict=True))


@dataclass(slots=True)
class _Probe:
    """Takes a column for numeric until a value is not a number."""

    values: "array[float]" = field(default_factory=lambda: array("d"))
    is_numeric: bool = True

    def feed(self, cells: Sequence[str]) -> None:
        if self.is_numeric:
            values = _plain_numbers(cells) or _numbers(cells)
            self.is_numeric = values is not None
            self.values.extend(values or ())


def _plain_numbers(cells: Sequence[str]) -> list[float] | None:
    """The cells as numbers where all are plain ones, as most columns are: a tenth of the time of one by one."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return None
    return None if any(map(math.isinf, values)) or "_" in "".join(cells) else values


def _numbers(cells: Sequence[str]) -> list[float] | None:
    values = []
    for cell in cells:
        value = parse_number(cell)
        if value is None:
            return None
        values.append(value)
    return values


@dataclass(slots=True)
class _TextSink:
    codes: "array[int]" = field(default_factory=lambda: array("i"))
    book: CodeBook = field(default_factory=CodeBook)

    def feed(self, cells: Sequence[str]) -> None:
        self.codes.extend(map(self.book.__getitem__, cells))

    def texts(self) -> Texts:
        return Texts(np.array(self.codes, dtype=np.int32), self.book.words)
