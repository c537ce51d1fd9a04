"""A table in memory: numeric columns as numbers, all others as texts.

It is read in two passes: the first finds out which columns are numeric, the second keeps each in its compact form.
"""

import math
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from trainer_host.recipes.tabular_train.limits import ALMOST_NUMERIC_SHARE
from trainer_host.recipes.tabular_train.sources import RowSource

MISSING_TEXTS = frozenset({"", "na", "n/a", "nan", "none", "null", "."})
"""What counts as an absent value, in any case and with any white space around."""

_ROWS_A_CHUNK = 4096
_FAULTS_COUNTED = 1000

Numbers = NDArray[np.float64]
Texts = list[str | None]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    Attributes:
        num_rows: their length.
        numbers: numeric columns by name; NaN where a value is absent.
        texts: all other columns by name; None where a value is absent.
        warnings: what the owner should know about how it was read.
    """

    num_rows: int
    numbers: dict[str, Numbers]
    texts: dict[str, Texts]
    warnings: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """The table of some rows, in the order given."""
        positions = rows.tolist()
        return Table(
            num_rows=len(positions),
            numbers={name: values[rows] for name, values in self.numbers.items()},
            texts={name: [texts[row] for row in positions] for name, texts in self.texts.items()},
            warnings=self.warnings,
        )


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in MISSING_TEXTS


def parse_number(text: str) -> float | None:
    """The number that a cell holds: NaN for an absent one, None for a text. Infinities are texts."""
    try:
        value = float(text)
    except ValueError:
        return math.nan if is_missing(text) else None
    # Python reads 1_000 as a number; no other program does.
    return None if math.isinf(value) or "_" in text else value


def read_table(source: RowSource, *, skipped: Collection[str] = (), as_text: Collection[str] = ()) -> Table:
    """Read a table.

    Args:
        source: the rows.
        skipped: columns that are not kept.
        as_text: columns that are kept as text even when every value is a number.
    """
    kept = [(position, name) for position, name in enumerate(source.columns) if name not in skipped]
    probes = {position: _Probe() for position, name in kept if name not in as_text}
    for cells in _chunks(source):
        for position, probe in probes.items():
            probe.feed(cells[position])
    numeric = {position for position, probe in probes.items() if probe.num_faults == 0}
    numbers = {position: array("d") for position in numeric}
    texts = {position: _TextSink() for position, _ in kept if position not in numeric}
    num_rows = 0
    for cells in _chunks(source):
        num_rows += len(cells[0])
        for position, values in numbers.items():
            values.extend(_number(cell) for cell in cells[position])
        for position, sink in texts.items():
            sink.feed(cells[position])
    return Table(
        num_rows=num_rows,
        numbers={name: np.array(numbers[position]) for position, name in kept if position in numeric},
        texts={name: texts[position].texts for position, name in kept if position not in numeric},
        warnings=tuple(
            warning for position, name in kept if position in probes and (warning := probes[position].warning(name))
        ),
    )


def _chunks(source: RowSource) -> Iterator[list[tuple[str, ...]]]:
    """The rows some thousand at a time, turned into columns: a loop over cells is fastest down a column."""
    rows = source.rows()
    while chunk := list(islice(rows, _ROWS_A_CHUNK)):
        yield list(zip(*chunk, strict=True))


def _number(text: str) -> float:
    value = parse_number(text)
    return math.nan if value is None else value


@dataclass(slots=True)
class _Probe:
    """Finds out whether every present value of a column is a number."""

    num_present: int = 0
    num_faults: int = 0
    first_fault: str = ""
    first_row: int = 0
    _num_rows: int = 0

    def feed(self, cells: Sequence[str]) -> None:
        if self.num_faults < _FAULTS_COUNTED:
            for row, cell in enumerate(cells, start=self._num_rows + 1):
                value = parse_number(cell)
                if value is None:
                    self._note_fault(cell, row)
                elif not math.isnan(value):
                    self.num_present += 1
        self._num_rows += len(cells)

    def _note_fault(self, cell: str, row: int) -> None:
        self.num_present += 1
        self.num_faults += 1
        if self.num_faults == 1:
            self.first_fault, self.first_row = cell, row

    def warning(self, name: str) -> str:
        """What to say of a column that is text for a few values only; empty when there is nothing to say."""
        if not 0 < self.num_faults <= ALMOST_NUMERIC_SHARE * self.num_present:
            return ""
        return (
            f"Column {echo(name)} is read as text: {self.num_faults} of {self.num_present} values are not numbers, "
            f"the first is {echo(self.first_fault)} in row {self.first_row}."
        )


@dataclass(slots=True)
class _TextSink:
    """Collects a text column; equal texts are kept once, since most columns have few."""

    texts: Texts = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def feed(self, cells: Sequence[str]) -> None:
        known = self._known
        self.texts.extend(None if is_missing(cell) else known.setdefault(cell.strip(), cell.strip()) for cell in cells)
