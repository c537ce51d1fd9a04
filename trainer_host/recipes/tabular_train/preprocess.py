"""`preprocess.json`: how a row becomes the numbers that the model takes, exactly as in training.

Everything in it was fitted on the training rows. `features` reads it in one order: first the numeric columns and the
parts of dates, then the categories of text columns.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from headway.contract.errors import echo
from headway.contract.recipes import UserInputFailure
from trainer_host.recipes.tabular_train.cells import Numbers, parse_number
from trainer_host.recipes.tabular_train.dates import DATE_PARTS, expand
from trainer_host.recipes.tabular_train.held_out import HeldOutRows
from trainer_host.recipes.tabular_train.limits import STANDARDISED_LIMIT
from trainer_host.recipes.tabular_train.number_embedding import encode
from trainer_host.recipes.tabular_train.table import Table
from trainer_host.recipes.tabular_train.texts import Texts

PREPROCESS_PATH = "preprocess.json"
OTHER = "(other)"

Matrix = NDArray[np.float32]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DateColumn(_Part):
    """A column that is replaced by 14 calendar features."""

    column: str
    format: str
    """One of `dates.DATE_FORMATS`."""


class NumericFeature(_Part):
    """A standardised number: `(value or median) - mean) / scale`, clipped."""

    name: str
    """The column's name, or `{column}__{part}` for a part of a date."""
    median: float
    """Stands for an absent value."""
    mean: float
    scale: float = Field(gt=0)
    least: float | None = None
    greatest: float | None = None
    """The range in the training rows; None where no row had a value, and in files of earlier versions."""
    edges: tuple[float, ...] = ()
    """Of the bins of its piecewise-linear embedding, standardised and ascending; empty where the model takes the number
    itself."""


class CategoricalColumn(_Part):
    """A text column: one feature a category, 1 where the row has it."""

    column: str
    categories: tuple[str, ...]
    has_other: bool
    """Whether a last feature stands for every other text, the absent one included."""

    @property
    def width(self) -> int:
        """Features that are made of it."""
        return len(self.categories) + self.has_other


class TargetColumn(_Part):
    """What is predicted."""

    column: str
    task: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()
    """Labels in the order of the model's outputs."""
    mean: float = 0.0
    scale: float = Field(default=1.0, gt=0)
    """A regression predicts `(value - mean) / scale`."""


class Preprocess(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    target: TargetColumn
    dates: tuple[DateColumn, ...] = ()
    numeric: tuple[NumericFeature, ...] = ()
    categorical: tuple[CategoricalColumn, ...] = ()
    feature_names: tuple[str, ...]
    """Of every input of the model, in order."""
    excluded: tuple[str, ...] = ()
    """Columns of the training table that are no features."""
    empty: tuple[str, ...] = ()
    """Columns that had no value in the training rows, and so became no features."""
    held_out: HeldOutRows | None = None
    """Rows that the model did not learn from; None where nobody noted them."""

    @property
    def text_columns(self) -> frozenset[str]:
        """Columns that must be read as text even when they look like numbers."""
        return frozenset(
            [self.target.column, *(item.column for item in self.dates), *(item.column for item in self.categorical)]
        )

    def features(self, table: Table) -> Matrix:
        """What the model takes: `embed` of `plain_features`."""
        return self.embed(self.plain_features(table))

    @property
    def blocks(self) -> dict[str, range]:
        """The plain features that were made of each column, by the column's name."""
        dated = {f"{item.column}__{part}": item.column for item in self.dates for part in DATE_PARTS}
        found: dict[str, range] = {}
        for index, feature in enumerate(self.numeric):
            column = dated.get(feature.name, feature.name)
            found[column] = range(found[column].start if column in found else index, index + 1)
        start = len(self.numeric)
        for categorical in self.categorical:
            end = start + categorical.width
            found[categorical.column] = range(start, end)
            start = end
        return found

    def embed(self, matrix: Matrix) -> Matrix:
        """Plain features with every number that has bins replaced by one feature a bin; the same matrix when none has.

        Args:
            matrix: float32, rows x plain features, as `plain_features` returns.

        Returns:
            float32, rows x features.
        """
        if len(self.feature_names) == matrix.shape[1]:
            return matrix
        embedded = np.empty((matrix.shape[0], len(self.feature_names)), dtype=np.float32)
        start = 0
        for index, feature in enumerate(self.numeric):
            end = start + max(1, len(feature.edges) - 1)
            values = matrix[:, index]
            embedded[:, start:end] = encode(values, feature.edges) if feature.edges else values[:, None]
            start = end
        embedded[:, start:] = matrix[:, len(self.numeric) :]
        return embedded

    def plain_features(self, table: Table) -> Matrix:
        """One feature a number, part of a date, or category.

        Args:
            table: has every column of the training table but the target and the excluded ones.

        Returns:
            float32, rows x plain features.

        Raises:
            UserInputFailure: MISSING_COLUMN, NOT_A_NUMBER or INVALID_DATE; the column is named.
        """
        numbers = dict(table.numbers)
        for item in self.dates:
            parts = expand(item.column, _texts(table, item.column), item.format)
            numbers |= {f"{item.column}__{part}": parts[:, index] for index, part in enumerate(DATE_PARTS)}
        num_plain = len(self.numeric) + sum(column.width for column in self.categorical)
        matrix = np.zeros((table.num_rows, num_plain), dtype=np.float32)
        for index, feature in enumerate(self.numeric):
            matrix[:, index] = standardise(_numbers(table, numbers, feature.name), feature)
        start = len(self.numeric)
        for column in self.categorical:
            _mark(matrix[:, start : start + column.width], column, _texts(table, column.column))
            start += column.width
        return matrix


def standardise(values: Numbers, feature: NumericFeature) -> Numbers:
    """Values with the absent ones filled in, centred, scaled and clipped."""
    filled = np.where(np.isnan(values), feature.median, values)
    # Halved first: the difference of two doubles of opposite sign may be more than a double can hold.
    with np.errstate(over="ignore"):  # What becomes infinite is clipped as well.
        centred = (filled / 2 - feature.mean / 2) / (feature.scale / 2)
    clipped: Numbers = np.clip(centred, -STANDARDISED_LIMIT, STANDARDISED_LIMIT)
    return clipped


def feature_names(numeric: tuple[NumericFeature, ...], categorical: tuple[CategoricalColumn, ...]) -> tuple[str, ...]:
    """Names of all features, made unique where a column is named like another's category."""
    names: list[str] = []
    for feature in numeric:
        num_bins = max(0, len(feature.edges) - 1)
        names += [f"{feature.name} bin {place}" for place in range(1, num_bins + 1)] or [feature.name]
    for column in categorical:
        names += [f"{column.column}={category}" for category in column.categories]
        names += [f"{column.column}={OTHER}"] if column.has_other else []
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return tuple(unique)


def _mark(block: Matrix, column: CategoricalColumn, texts: Texts) -> None:
    places = {category: place for place, category in enumerate(column.categories)}
    other = len(column.categories) if column.has_other else -1
    of_words = np.array([*(places.get(word, other) for word in texts.words), other], dtype=np.int64)
    positions = of_words[texts.codes]  # The absent text has code -1, which is the last.
    rows = np.flatnonzero(positions >= 0)
    block[rows, positions[rows]] = 1.0


def _numbers(table: Table, numbers: dict[str, Numbers], name: str) -> Numbers:
    if name in numbers:
        return numbers[name]
    culprit = next((text for text in _texts(table, name).present() if parse_number(text) is None), "")
    raise UserInputFailure("NOT_A_NUMBER", f"column {echo(name)} was numeric in training, and holds {echo(culprit)}")


def _texts(table: Table, name: str) -> Texts:
    if name in table.texts:
        return table.texts[name]
    raise UserInputFailure("MISSING_COLUMN", f"the table has no column {echo(name)}, which the model was trained with")
