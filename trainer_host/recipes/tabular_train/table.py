"""A table in memory: numeric columns as numbers, all others as texts. Reads one from whatever source it has."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.limits import ALMOST_NUMERIC_SHARE, LARGE_CSV_BYTES
from trainer_host.recipes.tabular_train.row_columns import Columns, read_rows
from trainer_host.recipes.tabular_train.sources import CsvSource, FrameSource, RowSource
from trainer_host.recipes.tabular_train.texts import Texts


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    Attributes:
        num_rows: their length.
        numbers: numeric columns by name; NaN where a value is absent.
        texts: all other columns by name.
        warnings: what the owner should know about how it was read.
    """

    num_rows: int
    numbers: dict[str, Numbers]
    texts: dict[str, Texts]
    warnings: tuple[str, ...] = ()

    def column(self, name: str) -> Numbers | Texts:
        """One column. Raises: KeyError: there is none of that name."""
        return self.numbers[name] if name in self.numbers else self.texts[name]

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """The table of some rows, in the order given."""
        return Table(
            num_rows=rows.size,
            numbers={name: values[rows] for name, values in self.numbers.items()},
            texts={name: texts.take(rows) for name, texts in self.texts.items()},
            warnings=self.warnings,
        )

    def without(self, column: str) -> "Table":
        """The table with one column less."""
        return Table(
            num_rows=self.num_rows,
            numbers={name: values for name, values in self.numbers.items() if name != column},
            texts={name: texts for name, texts in self.texts.items() if name != column},
            warnings=self.warnings,
        )


def read_table(source: RowSource, *, skipped: Collection[str] = (), as_text: Collection[str] = ()) -> Table:
    """Read a table.

    Args:
        source: the rows.
        skipped: columns that are not kept.
        as_text: columns that are kept as text even when every value is a number.

    Raises:
        InvalidTable: or a subclass: it is no table; the line is named.
    """
    found = _read_columns(source, [name for name in source.columns if name not in skipped], as_text)
    texts = {name: column for name, column in found.by_name.items() if isinstance(column, Texts)}
    return Table(
        num_rows=found.num_rows,
        numbers={name: column for name, column in found.by_name.items() if not isinstance(column, Texts)},
        texts=texts,
        warnings=tuple(
            warning
            for name, column in texts.items()
            if name not in as_text and (warning := _almost_numeric(name, column))
        ),
    )


# The fast readers import polars, which takes 0.4 s, so they are imported where they are needed: most tables are small.


def _read_columns(source: RowSource, wanted: list[str], as_text: Collection[str]) -> Columns:
    if isinstance(source, FrameSource):
        from trainer_host.recipes.tabular_train.frame_columns import read_frame

        return read_frame(source, wanted, as_text)
    if isinstance(source, CsvSource) and source.size_bytes >= LARGE_CSV_BYTES:
        from trainer_host.recipes.tabular_train.csv_columns import read_csv

        return read_csv(source, wanted, as_text) or read_rows(source, wanted, as_text)
    return read_rows(source, wanted, as_text)


def _almost_numeric(name: str, texts: Texts) -> str:
    """What to say of a column that is text for a few values only; empty when there is nothing to say."""
    counts = texts.counts().tolist()
    num_present = sum(counts)
    num_faults, first = 0, -1
    for code, word in enumerate(texts.words):
        if parse_number(word) is None:
            first = code if first < 0 else first
            num_faults += counts[code]
            if num_faults > ALMOST_NUMERIC_SHARE * num_present:
                return ""
    if not num_faults:
        return ""
    row = int(np.argmax(texts.codes == first)) + 1
    return (
        f"Column {echo(name)} is read as text: {num_faults} of {num_present} values are not numbers, "
        f"the first is {echo(texts.words[first])} in row {row}."
    )
