"""Writes the answers as CSV, and the report beside them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TextIO

from google.protobuf import json_format

from headway.contract.predictions import PredictionReport
from headway.v1.models_service_pb2 import Drift as DriftMessage
from headway.v1.models_service_pb2 import OutOfRangeValues, UnreadableValues, UnseenTexts
from trainer_host.recipes.tabular_train.drift import Drift
from trainer_host.recipes.tabular_train.predict import Floats, labels_of

_TOLD = 200
"""Of each list; a table may have ten thousand columns."""
_EXAMPLE_CHARACTERS = 64


def write_answers(file: TextIO, classes: tuple[str, ...], answers: Iterable[Floats]) -> Iterator[int]:
    """Write a header and a line a row.

    Args:
        file: opened for text, without translation of line ends.
        classes: of a classification, in the order of the probabilities; empty for a regression.
        answers: rows x classes probabilities, or rows x 1 numbers; some rows at a time.

    Yields:
        Rows written so far, after each part.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["prediction", *(f"probability_{name}" for name in classes)])
    num_done = 0
    for part in answers:
        if classes:
            texts = [[f"{value:.7g}" for value in row] for row in part.tolist()]
            writer.writerows([label, *row] for label, row in zip(labels_of(classes, part), texts, strict=True))
        else:
            writer.writerows([repr(value)] for value in part[:, 0].tolist())
        num_done += len(part)
        yield num_done


def report_of(
    task: Literal["classification", "regression"], classes: tuple[str, ...], drift: Drift
) -> PredictionReport:
    """What is said beside the answers."""
    message = drift_message(drift)
    told = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return PredictionReport(task=task, classes=classes, num_rows=drift.num_rows, drift=told)


def drift_message(drift: Drift) -> DriftMessage:
    """The drift as callers of Predict see it: of each list the beginning, and of an example too."""
    return DriftMessage(
        unknown_columns=drift.unknown_columns[:_TOLD],
        missing_columns=drift.missing_columns[:_TOLD],
        unreadable=[
            UnreadableValues(
                column=one.column, num_rows=one.num_rows, first_row=one.first_row, examples=_cut(one.examples)
            )
            for one in drift.unreadable[:_TOLD]
        ],
        unseen=[
            UnseenTexts(
                column=one.column,
                num_rows=one.num_rows,
                examples=_cut(one.examples),
                may_be_rare=one.may_be_rare,
            )
            for one in drift.unseen[:_TOLD]
        ],
        out_of_range=[
            OutOfRangeValues(
                column=one.column,
                num_rows=one.num_rows,
                least=one.least,
                greatest=one.greatest,
                lowest=one.lowest,
                highest=one.highest,
            )
            for one in drift.out_of_range[:_TOLD]
        ],
    )


def _cut(examples: Sequence[str]) -> list[str]:
    return [text if len(text) <= _EXAMPLE_CHARACTERS else f"{text[:_EXAMPLE_CHARACTERS]}..." for text in examples]
