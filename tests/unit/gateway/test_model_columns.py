"""The columns that a model takes, from its `preprocess.json`."""

import json

import pytest

from gateway.model_columns import parse_model_columns
from headway.contract.errors import InvalidManifest

TARGET = {"column": "y", "task": "regression", "mean": 1.0}


def test_dates_numbers_and_categories_are_columns_and_parts_of_dates_are_not() -> None:
    content = {
        "target": TARGET,
        "dates": [{"column": "day", "format": "%Y"}],
        "numeric": [{"name": "a", "mean": 0}, {"name": "day__year"}, {"name": "day__month_sin"}, {"name": "day_two"}],
        "categorical": [{"column": "colour", "categories": ["red"]}],
        "something_new": {"of": "a later release"},
    }
    columns = parse_model_columns(json.dumps(content).encode())
    assert columns.features == ("day", "a", "day_two", "colour")
    assert (columns.target.column, columns.target.task, columns.target.classes) == ("y", "regression", ())


def test_a_column_that_is_taken_twice_is_one_column() -> None:
    content = {"target": TARGET, "numeric": [{"name": "a"}], "categorical": [{"column": "a"}]}
    assert parse_model_columns(json.dumps(content).encode()).features == ("a",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\x80\x04K\x01.",
        b'{"target": {"column": "y", "task": "guessing"}}',
        b'{"target": {"column": "y", "task": "regression"}, "numeric": [{"nome": "x"}]}',
        b'{"target": {"column": 7, "task": "regression"}}',
    ],
)
def test_what_does_not_name_its_columns_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidManifest, match=r"preprocess\.json"):
        parse_model_columns(content)
