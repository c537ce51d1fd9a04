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
from trainer_host.recipes.tabular_train.dates import DATE_PARTS, expand
from trainer_host.recipes.tabular_train.limits import STANDARDISED_LIMIT
from trainer_host.recipes.tabular_train.table import Numbers, Table, Texts

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


class CategoricalColumn(_Part):
    """A text column: one feature a category, 1 where the row has it."""

    column: str
    categories: tuple[str, ...]
    has_other: bool
    """Whether a last feature stands for every other text, the absent one included."""


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

    @property
    def text_columns(self) -> frozenset[str]:
        """Columns that must be read as text even when they look like numbers."""
        return frozenset(
            [self.target.column, *(item.column for item in self.dates), *(item.column for item in self.categorical)]
        )

    def features(self, table: Table) -> Matrix:
        """What the model takes.

        Args:
            table: has every column of the training table but the target and the excluded ones.

        Returns:
            float32, rows x features.

        Raises:
            UserInputFailure: MISSING_COLUMN, NOT_A_NUMBER or INVALID_DATE; the column is named.
        """
        numbers = dict(table.numbers)
        for item in self.dates:
            parts = expand(item.column, _texts(table, item.column), item.format)
            numbers |= {f"{item.column}__{part}": parts[:, index] for index, part in enumerate(DATE_PARTS)}
        matrix = np.zeros((table.num_rows, len(self.feature_names)), dtype=np.float32)
        for index, feature in enumerate(self.numeric):
            matrix[:, index] = standardise(_numbers(table, numbers, feature.name), feature)
        start = len(self.numeric)
        for column in self.categorical:
            width = len(column.categories) + column.has_other
            _mark(matrix[:, start : start + width], column, _texts(table, column.column))
            start += width
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
    names = [feature.name for feature in numeric]
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
    places: dict[str | None, int] = {category: place for place, category in enumerate(column.categories)}
    other = len(column.categories) if column.has_other else -1
    positions = np.fromiter((places.get(text, other) for text in texts), dtype=np.int64, count=len(texts))
    rows = np.flatnonzero(positions >= 0)
    block[rows, positions[rows]] = 1.0


def _numbers(table: Table, numbers: dict[str, Numbers], name: str) -> Numbers:
    if name in numbers:
        return numbers[name]
    culprit = next((text for text in _texts(table, name) if text is not None and not _is_number(text)), "")
    raise UserInputFailure("NOT_A_NUMBER", f"column {echo(name)} was numeric in training, and holds {echo(culprit)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts(table: Table, name: str) -> Texts:
    if name in table.texts:
        return table.texts[name]
    raise UserInputFailure("MISSING_COLUMN", f"the table has no column {echo(name)}, which the model was trained with")
