"""Answers of a model as a table, and what in the rows is not as it was in training, in words."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from headway.cli.view.output import plain_table
from headway.cli.view.words import number_text
from headway.v1.models_service_pb2 import Drift, Prediction, PredictResponse

_CLASSES_SHOWN = 6
_NAMED = 8


def predictions_table(response: PredictResponse) -> Table:
    """A line a row: its number, the answer, and the probabilities where the classes are few."""
    classes = sorted(response.predictions[0].probabilities) if response.predictions else []
    if len(classes) > _CLASSES_SHOWN:
        titles, shown = ["row", "prediction", "probability"], None
    else:
        titles, shown = ["row", "prediction", *classes], classes
    rows = ([str(number), *_cells(one, shown)] for number, one in enumerate(response.predictions, start=1))
    return plain_table(titles, rows)


def _cells(prediction: Prediction, classes: Sequence[str] | None) -> list[str]:
    if prediction.WhichOneof("answer") == "number":
        return [number_text(prediction.number)]
    probabilities = prediction.probabilities
    if classes is None:
        return [prediction.label, f"{probabilities[prediction.label]:.3f}"]
    return [prediction.label, *(f"{probabilities[name]:.3f}" for name in classes)]


def drift_lines(drift: Drift) -> Iterator[str]:
    """A sentence for each difference from the rows of training."""
    if drift.unknown_columns:
        yield f"not read, for the model does not know them: {_named(drift.unknown_columns)}"
    if drift.missing_columns:
        yield f"taken as absent in every row: {_named(drift.missing_columns)}"
    for unreadable in drift.unreadable:
        yield (
            f"{unreadable.column}: cannot be read in {unreadable.num_rows} rows, the first is row "
            f"{unreadable.first_row}; taken as absent ({_named(unreadable.examples)})"
        )
    for unseen in drift.unseen:
        rare = "; some may have been rare in training" if unseen.may_be_rare else ""
        yield f"{unseen.column}: {unseen.num_rows} rows hold what training did not ({_named(unseen.examples)}){rare}"
    for outside in drift.out_of_range:
        trained = f"{number_text(outside.least)} to {number_text(outside.greatest)}"
        found = f"{number_text(outside.lowest)} to {number_text(outside.highest)}"
        yield f"{outside.column}: {outside.num_rows} rows are outside of training's {trained}; they have {found}"


def _named(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
