"""Rows of a request become CSV that reads back as they were meant."""

import csv
import io
from collections.abc import Mapping

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from gateway import predict_rows
from gateway.predict_rows import csv_of
from headway.contract.csv_tables import CsvTable
from headway.contract.errors import FieldRequired, OutOfRange, RowsRefused
from headway.v1.models_service_pb2 import JsonRows, PredictRequest


def a_request(*rows: Mapping[str, object]) -> PredictRequest:
    request = PredictRequest(name="n", json_rows=JsonRows())
    for row in rows:
        request.json_rows.rows.append(json_format.ParseDict(dict(row), Struct()))
    return request


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_csv_travels_as_it_is() -> None:
    assert csv_of(PredictRequest(csv="a,b\n1,ü\n")) == "a,b\n1,ü\n".encode()


def test_json_values_are_written_as_a_table_would_write_them() -> None:
    content = csv_of(a_request({"n": 5, "x": 1.25, "t": 'a "b", c\nd', "b": True}, {"x": None, "more": "last"}))

    header, first, second = read(content)
    assert sorted(header) == ["b", "more", "n", "t", "x"]
    assert dict(zip(header, first, strict=True)) == {
        "b": "true",
        "more": "",
        "n": "5",
        "t": 'a "b", c\nd',
        "x": "1.25",
    }
    assert dict(zip(header, second, strict=True)) == {"b": "", "more": "last", "n": "", "t": "", "x": ""}


def test_a_row_without_its_only_value_is_a_row_all_the_same() -> None:
    content = csv_of(a_request({"x": 1}, {"x": None}, {"x": 3}))

    assert list(CsvTable(io.BytesIO(content)).rows()) == [["1"], [""], ["3"]]


@pytest.mark.parametrize("request_", [PredictRequest(csv=" \n"), a_request(), a_request({})])
def test_no_rows_are_refused(request_: PredictRequest) -> None:
    with pytest.raises(FieldRequired, match="no rows"):
        csv_of(request_)


def test_nested_values_are_refused_by_row_and_column() -> None:
    with pytest.raises(RowsRefused, match="row 2: 'x'") as refusal:
        csv_of(a_request({"x": 1}, {"x": [1, 2]}))
    assert refusal.value.violations[0].field == "json_rows.rows[1]"


def test_more_than_travels_in_a_request_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_rows, "PREDICT_ROWS_MAX_BYTES", 10)
    monkeypatch.setattr(predict_rows, "PREDICT_JSON_ROWS_MAX", 1)

    with pytest.raises(OutOfRange, match="dataset"):
        csv_of(PredictRequest(csv="a,b\n1,2\n3,4\n"))
    with pytest.raises(OutOfRange, match="dataset"):
        csv_of(a_request({"x": 1}, {"x": 2}))
