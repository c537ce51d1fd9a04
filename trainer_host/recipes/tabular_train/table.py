"""A table in memory: numeric columns as numbers, all others as texts.

It is read in two passes: the first keeps the columns that turn out to be numeric, as numbers, the second all others, as
texts. So no column is ever held in both forms.
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
    num_rows = 0
    for cells in _chunks(source):
        num_rows += len(cells[0])
        for position, probe in probes.items():
            probe.feed(cells[position])
    texts = _read_texts(source, [position for position, _ in kept if not _is_numeric(probes.get(position))])
    return Table(
        num_rows=num_rows,
        numbers={name: np.array(probes[position].values) for position, name in kept if position not in texts},
        texts={name: texts[position] for position, name in kept if position in texts},
        warnings=tuple(
            warning for position, name in kept if position in probes and (warning := probes[position].warning(name))
        ),
    )


def _read_texts(source: RowSource, positions: Sequence[int]) -> dict[int, Texts]:
    sinks = {position: _TextSink() for position in positions}
    if sinks:
        for cells in _chunks(source):
            for position, sink in sinks.items():
                sink.feed(cells[position])
    return {position: sink.texts for position, sink in sinks.items()}


def _chunks(source: RowSource) -> Iterator[list[tuple[str, ...]]]:
    """The rows some thousand at a time, turned into columns: a loop over cells is fastest down a column."""
    rows = source.rows()
    while chunk := list(islice(rows, _ROWS_A_CHUNK)):
        yield list(zip(*chunk, strict=True))


def _plain_numbers(cells: Sequence[str]) -> list[float] | None:
    """The cells as numbers where all are plain ones, as most columns are: a tenth of the time of one by one."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return None
    return None if any(map(math.isinf, values)) or "_" in "".join(cells) else values


@dataclass(slots=True)
class _Probe:
    """Takes a column for numeric until a value is not a number."""

    values: "array[float]" = field(default_factory=lambda: array("d"))
    num_faults: int = 0
    _num_present: int = 0
    _num_rows: int = 0
    _first_fault: str = ""
    _first_row: int = 0

    def feed(self, cells: Sequence[str]) -> None:
        plain = _plain_numbers(cells)
        if plain is not None:
            self._num_present += len(plain) - sum(map(math.isnan, plain))
            self.values.extend(plain)
        elif self.num_faults < _FAULTS_COUNTED:
            self._feed_each(cells)
        self._num_rows += len(cells)

    def _feed_each(self, cells: Sequence[str]) -> None:
        for row, cell in enumerate(cells, start=self._num_rows + 1):
            value = parse_number(cell)
            if value is None:
                self._note_fault(cell, row)
            else:
                self._num_present += not math.isnan(value)
                self.values.append(value)

    def _note_fault(self, cell: str, row: int) -> None:
        self._num_present += 1
        self.num_faults += 1
        if self.num_faults == 1:
            self._first_fault, self._first_row = cell, row

    def warning(self, name: str) -> str:
        """What to say of a column that is text for a few values only; empty when there is nothing to say."""
        if not 0 < self.num_faults <= ALMOST_NUMERIC_SHARE * self._num_present:
            return ""
        return (
            f"Column {echo(name)} is read as text: {self.num_faults} of {self._num_present} values are not numbers, "
            f"the first is {echo(self._first_fault)} in row {self._first_row}."
        )


@dataclass(slots=True)
class _TextSink:
    """Collects a text column; equal texts are kept once, since most columns have few."""

    texts: Texts = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)

    def feed(self, cells: Sequence[str]) -> None:
        known = self._known
        self.texts.extend(None if is_missing(cell) else known.setdefault(cell.strip(), cell.strip()) for cell in cells)


def _is_numeric(probe: _Probe | None) -> bool:
    return probe is not None and probe.num_faults == 0
