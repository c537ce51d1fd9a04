"""The rows of a Predict call as bytes of a CSV file. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence

from google.protobuf.struct_pb2 import Struct, Value

from headway.contract.errors import FieldRequired, OutOfRange, RowsRefused, Violation, echo
from headway.contract.limits import PREDICT_JSON_ROWS_MAX, PREDICT_ROWS_MAX_BYTES, TABLE_COLUMNS_MAX
from headway.v1.models_service_pb2 import PredictRequest

_EXACT_INTEGERS_BELOW = 2.0**53


def csv_of(request: PredictRequest) -> bytes:
    """The rows that travel in the request itself, as CSV.

    Raises:
        FieldRequired: there are none.
        OutOfRange: there are too many; more go up as a dataset.
        RowsRefused: a JSON row holds a list or an object.
    """
    if request.WhichOneof("rows") == "csv":
        content, field = request.csv.encode(), "csv"
    else:
        content, field = _csv_of_json(request.json_rows.rows), "json_rows.rows"
    if not content.strip():
        message = "there are no rows"
        raise FieldRequired(message, violations=[Violation(field, FieldRequired.reason, message, "at least one row")])
    if len(content) > PREDICT_ROWS_MAX_BYTES:
        message = f"{len(content)} bytes of rows are too many for one request; make a dataset of them and name it"
        allowed = f"at most {PREDICT_ROWS_MAX_BYTES} bytes"
        raise OutOfRange(message, violations=[Violation(field, OutOfRange.reason, message, allowed)])
    return content


def _csv_of_json(rows: Sequence[Struct]) -> bytes:
    if len(rows) > PREDICT_JSON_ROWS_MAX:
        message = f"{len(rows)} rows are too many for one request; make a dataset of them and name it"
        allowed = f"at most {PREDICT_JSON_ROWS_MAX} rows"
        raise OutOfRange(message, violations=[Violation("json_rows.rows", OutOfRange.reason, message, allowed)])
    columns = list(dict.fromkeys(name for row in rows for name in row.fields))
    if len(columns) > TABLE_COLUMNS_MAX:
        message = f"the rows have {len(columns)} columns"
        allowed = f"at most {TABLE_COLUMNS_MAX}"
        raise OutOfRange(message, violations=[Violation("json_rows.rows", OutOfRange.reason, message, allowed)])
    if not columns:
        return b""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for number, row in enumerate(rows):
        cells = [_cell(row.fields, name, number) for name in columns]
        # A line without anything is no row to a reader of CSV.
        text.write('""\n') if cells == [""] else writer.writerow(cells)
    return text.getvalue().encode()


def _cell(fields: Mapping[str, Value], name: str, number: int) -> str:
    value = fields.get(name)
    match None if value is None else value.WhichOneof("kind"):
        case "string_value":
            return fields[name].string_value
        case "number_value":
            return _number_text(fields[name].number_value)
        case "bool_value":
            return "true" if fields[name].bool_value else "false"
        case "list_value" | "struct_value":
            message = f"{echo(name)} holds a list or an object"
            field = f"json_rows.rows[{number}]"
            violation = Violation(field, "NESTED", message, "a text, a number, a truth value or null")
            raise RowsRefused(f"row {number + 1}: {message}", violations=[violation])
        case _:
            return ""


def _number_text(value: float) -> str:
    """JSON has one sort of number; a whole one is written as a table would write it."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_INTEGERS_BELOW else repr(value)
