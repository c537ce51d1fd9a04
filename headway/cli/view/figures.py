"""`metrics.json` of a tabular model as tables: class by class, confusions, what each column is worth, calibration."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.table import Table

from headway.cli.view.output import plain_table
from headway.cli.view.words import BLOCKS, number_text

FIGURES_PATH = "metrics.json"

_MAX_ROWS = 20
# A wider matrix does not fit a terminal; the worst confusions are listed instead.
_MAX_MATRIX = 10
_LABEL_CHARACTERS = 24
_BAR_CHARACTERS = 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClassFigures(_Part):
    """How well one class is told from the others, on the test rows."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class ColumnFigures(_Part):
    """What one column is worth: the rise of the loss when its values are shuffled among the test rows."""

    column: str
    importance: float
    deviation: float


class BinFigures(_Part):
    """Test rows whose class was predicted with a probability in one range."""

    lower: float
    upper: float
    num_rows: int
    confidence: float
    accuracy: float


class Figures(_Part):
    """The part of `metrics.json` that is shown as tables."""

    per_class: tuple[ClassFigures, ...] = ()
    confusion_matrix: tuple[tuple[int, ...], ...] = ()
    importances: tuple[ColumnFigures, ...] = ()
    calibration: tuple[BinFigures, ...] = ()


def parse_figures(content: bytes) -> Figures:
    """Read `metrics.json`; empty where it is not of the shape known here, as a plug-in's may be."""
    try:
        return Figures.model_validate_json(content)
    except ValidationError:
        return Figures()


def figure_tables(figures: Figures) -> list[Table]:
    """The tables, without those that would be empty. Long ones are cut, and say so."""
    found: list[Table] = []
    if figures.per_class:
        found.append(_class_table(figures.per_class))
    if any(map(any, figures.confusion_matrix)) and len(figures.confusion_matrix) == len(figures.per_class):
        found.append(_confusions([one.label for one in figures.per_class], figures.confusion_matrix))
    if figures.importances:
        found.append(_importance_table(figures.importances))
    if figures.calibration:
        found.append(_calibration_table(figures.calibration))
    return found


def _class_table(per_class: Sequence[ClassFigures]) -> Table:
    rows = (
        [_label(one.label), *map(_share, (one.precision, one.recall, one.f1)), f"{one.support:,}"]
        for one in per_class[:_MAX_ROWS]
    )
    return plain_table(
        ["class", "precision", "recall", "f1", "test rows"], _with_rest(rows, len(per_class) - _MAX_ROWS, "classes")
    )


def _confusions(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Table:
    if len(labels) <= _MAX_MATRIX:
        cells = ([_label(label), *map(str, row)] for label, row in zip(labels, matrix, strict=True))
        return plain_table(["is \\ taken for", *map(_label, labels)], cells)
    wrong = [
        (count, labels[place], labels[taken])
        for place, row in enumerate(matrix)
        for taken, count in enumerate(row)
        if taken != place and count and taken < len(labels)
    ]
    worst = sorted(wrong, key=lambda one: -one[0])
    listed = ([_label(label), _label(taken), str(count)] for count, label, taken in worst[:_MAX_ROWS])
    return plain_table(
        ["is", "taken for", "test rows"], _with_rest(listed, len(worst) - _MAX_ROWS, "confusions"), left=(0, 1)
    )


def _importance_table(importances: Sequence[ColumnFigures]) -> Table:
    greatest = max(one.importance for one in importances)
    rows = (
        [
            _label(one.column),
            f"{number_text(one.importance)} ± {number_text(one.deviation)}",
            _bar(one.importance / greatest if greatest > 0 else 0.0),
        ]
        for one in importances[:_MAX_ROWS]
    )
    titles = ["column", "loss when shuffled", ""]
    return plain_table(titles, _with_rest(rows, len(importances) - _MAX_ROWS, "columns"), left=(0, 2))


def _calibration_table(bins: Sequence[BinFigures]) -> Table:
    rows = (
        [f"{one.lower:.2f} to {one.upper:.2f}", _share(one.confidence), _share(one.accuracy), f"{one.num_rows:,}"]
        for one in bins
    )
    return plain_table(["probability of the answer", "mean", "right", "test rows"], rows)


def _with_rest(rows: Iterable[list[str]], num_more: int, what: str) -> list[list[str]]:
    """The rows, and one that says how many are not shown."""
    shown = list(rows)
    if num_more > 0:
        shown.append([f"and {num_more} more {what}; -o json", *[""] * (len(shown[0]) - 1)])
    return shown


def _bar(share: float) -> str:
    return BLOCKS[-1] * round(_BAR_CHARACTERS * max(0.0, share))


def _share(value: float) -> str:
    return f"{value:.3f}"


def _label(text: str) -> str:
    return text if len(text) <= _LABEL_CHARACTERS else f"{text[: _LABEL_CHARACTERS - 1]}…"
