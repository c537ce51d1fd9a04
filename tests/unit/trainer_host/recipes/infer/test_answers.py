"""What the recipe writes is what the gateway reads."""

import csv
import io

import numpy as np
from google.protobuf import json_format

from headway.v1.models_service_pb2 import Drift as DriftMessage
from trainer_host.recipes.infer import answers
from trainer_host.recipes.infer.answers import drift_message, report_of, write_answers
from trainer_host.recipes.tabular_train.drift import Drift, OutOfRange, Unreadable, Unseen

DRIFT = Drift(
    num_rows=9,
    unknown_columns=("more",),
    missing_columns=("less",),
    unreadable=(Unreadable("size", 2, 3, ("large",)),),
    unseen=(Unseen("colour", 1, ("x" * 100,), may_be_rare=True),),
    out_of_range=(OutOfRange("size", 4, least=0.0, greatest=5.0, lowest=-1.0, highest=7.0),),
)


def test_a_classification_is_a_label_and_a_probability_of_each_class() -> None:
    file = io.StringIO()
    parts = [np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([[1.0, 1e-9]])]

    assert list(write_answers(file, ("a, b", "c"), parts)) == [2, 3]

    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["prediction", "probability_a, b", "probability_c"],
        ["c", "0.25", "0.75"],
        ["a, b", "0.5", "0.5"],
        ["a, b", "1", "1e-09"],
    ]


def test_a_regression_is_a_number_with_all_its_digits() -> None:
    file = io.StringIO()

    assert list(write_answers(file, (), [np.array([[0.1 + 0.2], [-3.0]])])) == [2]

    assert file.getvalue() == "prediction\n0.30000000000000004\n-3.0\n"


def test_drift_is_told_as_callers_hear_it() -> None:
    report = report_of("classification", ("a",), DRIFT)
    message = json_format.ParseDict(report.drift, DriftMessage())

    assert message == drift_message(DRIFT)
    assert (list(message.unknown_columns), list(message.missing_columns)) == (["more"], ["less"])
    assert (message.unreadable[0].first_row, list(message.unreadable[0].examples)) == (3, ["large"])
    assert (message.unseen[0].may_be_rare, message.unseen[0].examples[0]) == (True, "x" * 64 + "...")
    assert (message.out_of_range[0].least, message.out_of_range[0].highest) == (0.0, 7.0)


def test_of_ten_thousand_columns_the_first_are_told() -> None:
    many = Drift(1, tuple(f"c{at}" for at in range(10_000)), (), (), (), ())

    assert len(drift_message(many).unknown_columns) == answers._TOLD
