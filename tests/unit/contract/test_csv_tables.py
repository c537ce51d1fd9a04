import csv
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.contract.csv_tables import CsvTable, check_header, sniff_delimiter
from headway.contract.errors import (
    FieldTooLong,
    InvalidEncoding,
    InvalidTable,
    NotEnoughRows,
    TooManyColumns,
)
from headway.contract.limits import FIELD_MAX_BYTES, TABLE_COLUMNS_MAX


def table(content: bytes | str) -> CsvTable:
    return CsvTable(io.BytesIO(content.encode() if isinstance(content, str) else content))


def rows(content: bytes | str) -> list[list[str]]:
    return list(table(content).rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_each_dialect_is_found_out(delimiter: str, newline: str, bom: str) -> None:
    read = table(bom + newline.join([f"a{delimiter}b", f"1{delimiter}2", f"3{delimiter}4", ""]))
    assert (read.columns, read.delimiter) == (("a", "b"), delimiter)
    assert list(read.rows()) == [["1", "2"], ["3", "4"]]


def test_a_decimal_comma_does_not_win_over_semicolons() -> None:
    assert sniff_delimiter("a;b\n1,5;2,5\n3,5;4,5\n") == ";"


def test_a_delimiter_within_quotes_does_not_count() -> None:
    assert sniff_delimiter('a;b\n"1,2,3";4\n"5,6,7";8\n') == ";"


def test_one_column_is_a_table_too() -> None:
    assert sniff_delimiter("a\n1\n2\n") == ","
    assert rows("a\n1\n2\n") == [["1"], ["2"]]


def test_a_last_line_without_an_end_is_a_row() -> None:
    assert rows("a,b\n1,2\n3,4") == [["1", "2"], ["3", "4"]]


def test_blank_lines_are_left_out() -> None:
    assert rows("a,b\n\n1,2\n\n\n3,4\n\n") == [["1", "2"], ["3", "4"]]


def test_a_quoted_field_keeps_its_newlines_and_unusual_separators() -> None:
    assert rows('a,b\n"x\ny","p\u2028q"\n') == [["x\ny", "p\u2028q"]]


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=30))
def test_what_the_standard_library_writes_is_read_back(cells: list[tuple[str, str, str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([("a", "b", "c"), *cells])
    assert rows(buffer.getvalue()) == [list(row) for row in cells]


def test_lines_that_span_blocks_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = random.Random(5)
    cells = [[str(choose.random()), "ä" * choose.randrange(40)] for _ in range(500)]
    content = "a,b\r\n" + "".join(f"{one},{two}\r\n" for one, two in cells)
    for block_bytes in (7, 64, 4096):
        monkeypatch.setattr("headway.contract.csv_tables._BLOCK_BYTES", block_bytes)
        assert rows(content) == cells


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", NotEnoughRows, "line 1"),
        (b"\n\n", NotEnoughRows, "empty"),
        (b"a,b\n1\n", InvalidTable, "line 2: 1 fields"),
        (b"a,b\n1,2,3\n", InvalidTable, "line 2: 3 fields"),
        (b'a,b\n"x\ny",2\n3\n', InvalidTable, "line 4: 1 fields"),
        (b"a,a\n", InvalidTable, "columns 1 and 2"),
        (b"a,\n", InvalidTable, "column 2 has no name"),
        (b"a," + b"x" * 300 + b"\n", InvalidTable, "longer than"),
        (b"a,b\n1,\0\n", InvalidEncoding, "line 2: a NUL"),
        (b"a,b\n1,2\n3,\xff\n", InvalidEncoding, "line 3"),
        (b"a,b\n1,2\n3,\xc3", InvalidEncoding, "line 3"),
        (b'a,b\n1,"2\n', FieldTooLong, "quote"),
        (b'a,b\n1,"2"x\n', InvalidTable, "line 2"),
        (b"x" * (2 * FIELD_MAX_BYTES), FieldTooLong, "line 1"),
        (b"a,b\n1," + b"x" * (2 * FIELD_MAX_BYTES), FieldTooLong, "line 2"),
        (b"," * (2 * FIELD_MAX_BYTES), TooManyColumns, "line 1"),
        (b",".join([b"c"] * (TABLE_COLUMNS_MAX + 1)) + b"\n", TooManyColumns, "columns"),
    ],
)
def test_what_is_no_table_is_refused_by_line(content: bytes, error: type[InvalidTable], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        rows(content)
    assert type(caught.value) is error
    assert caught.value.violations[0].field == "data_path"
    assert "line" in caught.value.metadata


def test_only_a_little_of_an_endless_field_is_read() -> None:
    endless = io.BytesIO(b"x" * (64 * FIELD_MAX_BYTES))
    with pytest.raises(FieldTooLong):
        CsvTable(endless)
    assert endless.tell() <= 2 * FIELD_MAX_BYTES


def test_names_lose_the_space_around_them() -> None:
    assert check_header([" a ", "b\t"], field="f") == ("a", "b")
