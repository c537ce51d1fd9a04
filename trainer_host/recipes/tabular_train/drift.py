"""How rows to predict differ from the rows that a model was trained on, and what makes them fit all the same.

Nothing here decides whether a difference matters: a missing column is refused or filled by whoever asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.dates import DATE_PARTS, parse_date
from trainer_host.recipes.tabular_train.limits import MAX_CATEGORIES
from trainer_host.recipes.tabular_train.preprocess import CategoricalColumn, NumericFeature, Preprocess
from trainer_host.recipes.tabular_train.table import Table
from trainer_host.recipes.tabular_train.texts import Texts

_EXAMPLES = 5

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Cells that are no number, or no date in the notation of the training rows.

    Attributes:
        column: its name.
        num_rows: that have such a cell.
        first_row: the first of them; the row below the header is 1.
        examples: different ones, as they stand in the table, at most 5.
    """

    column: str
    num_rows: int
    first_row: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Texts that are no category of the model.

    Attributes:
        column: its name.
        num_rows: that have such a text.
        examples: different ones, at most 5.
        may_be_rare: the column had more texts in training than become features, so that some of these may have been
            seen; the model takes all of them for "other".
    """

    column: str
    num_rows: int
    examples: tuple[str, ...]
    may_be_rare: bool


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """Numbers below the least or above the greatest one of the training rows; of a date, its year.

    Attributes:
        column: its name.
        num_rows: that have such a number.
        least: of the training rows.
        greatest: of the training rows.
        lowest: of these rows.
        highest: of these rows.
    """

    column: str
    num_rows: int
    least: float
    greatest: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Drift:
    """All differences; columns in the order of the model's, unknown ones in the table's.

    Attributes:
        num_rows: of the table.
        unknown_columns: that the training table did not have; they are ignored.
        missing_columns: that the model needs and the table does not have.
        unreadable: columns with cells that cannot be read.
        unseen: columns with texts that are no category.
        out_of_range: columns with values outside of the training range.
    """

    num_rows: int
    unknown_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    unreadable: tuple[Unreadable, ...]
    unseen: tuple[Unseen, ...]
    out_of_range: tuple[OutOfRange, ...]

    @property
    def is_any(self) -> bool:
        """Whether there is a difference."""
        return bool(self.unknown_columns or self.missing_columns or self.unreadable or self.unseen or self.out_of_range)


def needed_columns(preprocess: Preprocess) -> tuple[str, ...]:
    """Columns that a table must have for a model: numbers, then dates, then texts."""
    return (
        *(feature.name for feature in _plain_numbers(preprocess)),
        *(item.column for item in preprocess.dates),
        *(item.column for item in preprocess.categorical),
    )


def find_drift(preprocess: Preprocess, columns: Sequence[str], table: Table) -> Drift:
    """Compare a table with what a model was trained on.

    Args:
        preprocess: of the model.
        columns: all columns of the table's file.
        table: read with `as_text=preprocess.text_columns`; it may lack columns.
    """
    needed = needed_columns(preprocess)
    known = {*needed, preprocess.target.column, *preprocess.excluded, *preprocess.empty}
    return Drift(
        num_rows=table.num_rows,
        unknown_columns=tuple(name for name in columns if name not in known),
        missing_columns=tuple(name for name in needed if not _has(table, name)),
        unreadable=tuple(_unreadable(preprocess, table)),
        unseen=tuple(_unseen(preprocess, table)),
        out_of_range=tuple(_out_of_range(preprocess, table)),
    )


def fill(preprocess: Preprocess, table: Table) -> Table:
    """The table with every column that it lacks as one without values, and every unreadable cell as an absent one.

    Args:
        preprocess: of the model; an absent number counts as the training rows' median, an absent text as "other".
        table: read with `as_text=preprocess.text_columns`.
    """
    numbers, texts = dict(table.numbers), dict(table.texts)
    for feature in _plain_numbers(preprocess):
        if feature.name in texts:
            numbers[feature.name] = _numbers_of(texts.pop(feature.name))
        elif feature.name not in numbers:
            numbers[feature.name] = np.full(table.num_rows, np.nan)
    for item in preprocess.dates:
        column = texts.get(item.column, Texts.absent(table.num_rows))
        texts[item.column] = column.without(_no_dates(column, item.format))
    for category in preprocess.categorical:
        texts.setdefault(category.column, Texts.absent(table.num_rows))
    return Table(table.num_rows, numbers, texts, table.warnings)


def _has(table: Table, name: str) -> bool:
    return name in table.numbers or name in table.texts


def _plain_numbers(preprocess: Preprocess) -> list[NumericFeature]:
    """Numbers that are columns, and not parts of dates."""
    parts = {f"{item.column}__{part}" for item in preprocess.dates for part in DATE_PARTS}
    return [feature for feature in preprocess.numeric if feature.name not in parts]


def _unreadable(preprocess: Preprocess, table: Table) -> Iterator[Unreadable]:
    for feature in _plain_numbers(preprocess):
        if feature.name in table.texts:
            texts = table.texts[feature.name]
            yield from _flagged(feature.name, texts, _no_numbers(texts))
    for item in preprocess.dates:
        if item.column in table.texts:
            texts = table.texts[item.column]
            yield from _flagged(item.column, texts, _no_dates(texts, item.format))


def _flagged(column: str, texts: Texts, is_wrong: Flags) -> Iterator[Unreadable]:
    rows = np.flatnonzero(np.append(is_wrong, False)[texts.codes])
    if rows.size:
        examples = _examples(texts, is_wrong)
        yield Unreadable(column, num_rows=rows.size, first_row=int(rows[0]) + 1, examples=examples)


def _unseen(preprocess: Preprocess, table: Table) -> Iterator[Unseen]:
    for category in preprocess.categorical:
        if category.column in table.texts:
            texts = table.texts[category.column]
            known = frozenset(category.categories)
            is_new = np.array([word not in known for word in texts.words], dtype=np.bool_)
            num_rows = int(texts.counts()[is_new].sum())
            if num_rows:
                yield Unseen(category.column, num_rows, _examples(texts, is_new), may_be_rare=_is_capped(category))


def _is_capped(category: CategoricalColumn) -> bool:
    return category.has_other and len(category.categories) == MAX_CATEGORIES


def _out_of_range(preprocess: Preprocess, table: Table) -> Iterator[OutOfRange]:
    years = {f"{item.column}__{DATE_PARTS[0]}": item for item in preprocess.dates}
    for feature in preprocess.numeric:
        if feature.least is None or feature.greatest is None:
            continue
        name, values = feature.name, table.numbers.get(feature.name)
        if feature.name in years and years[feature.name].column in table.texts:
            item = years[feature.name]
            name, values = item.column, _years_of(table.texts[item.column], item.format)
        elif feature.name in table.texts:
            values = _numbers_of(table.texts[feature.name])
        if values is None:
            continue
        outside = values[(values < feature.least) | (values > feature.greatest)]
        if outside.size:
            yield OutOfRange(
                name,
                num_rows=outside.size,
                least=feature.least,
                greatest=feature.greatest,
                lowest=float(outside.min()),
                highest=float(outside.max()),
            )


def _examples(texts: Texts, is_chosen: Flags) -> tuple[str, ...]:
    counts = texts.counts()
    return tuple(texts.words[code] for code in islice(np.flatnonzero(is_chosen & (counts > 0)).tolist(), _EXAMPLES))


def _no_numbers(texts: Texts) -> Flags:
    return np.array([parse_number(word) is None for word in texts.words], dtype=np.bool_)


def _numbers_of(texts: Texts) -> Numbers:
    readings = (parse_number(word) for word in texts.words)
    return texts.spread(np.array([np.nan if reading is None else reading for reading in readings]), np.nan)


def _no_dates(texts: Texts, date_format: str) -> Flags:
    return np.array([parse_date(word, date_format) is None for word in texts.words], dtype=np.bool_)


def _years_of(texts: Texts, date_format: str) -> Numbers:
    days = (parse_date(word, date_format) for word in texts.words)
    return texts.spread(np.array([np.nan if day is None else day.year for day in days], dtype=np.float64), np.nan)
