"""The fast reader of CSV against the exact one: the same columns, or none at all."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.contract.errors import InvalidTable
from trainer_host.recipes.tabular_train import table as tables
from trainer_host.recipes.tabular_train.csv_columns import read_csv
from trainer_host.recipes.tabular_train.row_columns import Columns, read_rows
from trainer_host.recipes.tabular_train.sources import CsvSource
from trainer_host.recipes.tabular_train.table import read_table
from trainer_host.recipes.tabular_train.texts import Texts

NUMBERS = ["1", "-2.5", "1e3", "+.5", "007", " 3 ", "1.", "٣", "-0", "1e-320", "123456789012345678901"]
ABSENT = ["", "NA", "n/a", " . ", "NaN", "-nan", "null"]
WORDS = ["x", " y", "ä ö", "1_000", "inf", "1e999", "=1+1", "0x10", "1,5", "\x1c", "\u2028", "a;b"]
QUOTED = ['"x"', '"1"', '""', '"a,b"', '"a\nb"', '"say ""hi"""', '"\n\n"', '" 4 "']
LONG = (b"1," + b"a" * 60 + b"\n") * 20_000
"""Rows of more than a MiB: what follows is not seen when the file is opened."""
WILD = ['5" wide', '"x"y', '"', "\r", 'a"b"']


def write(folder: Path, text: str) -> CsvSource:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return CsvSource(path)


def shown(columns: Columns) -> dict[str, list[str | None] | list[float]]:
    """Columns in a form that can be compared; NaN as a text, since it is not equal to itself."""
    return {
        name: [*column, "texts"] if isinstance(column, Texts) else np.nan_to_num(column, nan=-77.0).tolist()
        for name, column in columns.by_name.items()
    }


def exactly(source: CsvSource) -> dict[str, list[str | None] | list[float]] | None:
    try:
        return shown(read_rows(source, source.columns, ("t",)))
    except InvalidTable:
        return None


def fast(source: CsvSource) -> dict[str, list[str | None] | list[float]] | None:
    found = read_csv(source, source.columns, ("t",))
    return None if found is None else shown(found)


def rows_of(cells: list[str]) -> st.SearchStrategy[str]:
    row = st.tuples(st.sampled_from(cells), st.sampled_from(cells), st.sampled_from(cells)).map(",".join)
    return st.lists(row, min_size=1, max_size=12).map("\n".join)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(deadline=None)
@given(
    text=rows_of(NUMBERS + ABSENT),
    newline=st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    bom=st.sampled_from(["", "\ufeff"]),
)
def test_numbers_are_the_same(folder: Path, text: str, newline: str, bom: str) -> None:
    source = write(folder, bom + f"a,b,t\n{text}\n".replace("\n", newline))
    assert fast(source) == exactly(source) is not None


@settings(deadline=None)
@given(text=rows_of(NUMBERS + ABSENT + WORDS[:-2] + QUOTED), end=st.sampled_from(["", "\n", "\n\n"]))
def test_texts_and_quotes_are_the_same(folder: Path, text: str, end: str) -> None:
    source = write(folder, f"a,b,t\n{text}{end}")
    if "1,5" in text:
        assert fast(source) in (None, exactly(source))
    else:
        assert fast(source) == exactly(source) is not None


@settings(deadline=None)
@given(text=rows_of(NUMBERS + QUOTED + WILD + ["1,2"]))
def test_what_may_be_read_in_two_ways_is_left_to_the_exact_reader(folder: Path, text: str) -> None:
    source = write(folder, f"a,b,t\n{text}\n")
    found = fast(source)
    assert found is None or found == exactly(source)


@settings(deadline=None, max_examples=200)
@given(cell=st.text("0123456789+-.eE_ naifNIty\tx", max_size=8))
def test_polars_takes_for_a_number_what_the_rule_does(folder: Path, cell: str) -> None:
    source = write(folder, f"a,t\n1,x\n{cell},x\n")
    assert fast(source) == exactly(source) is not None


@pytest.mark.parametrize("read_bytes", [7, 64, 1024])
def test_blocks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_bytes: int) -> None:
    choose = random.Random(5)
    lines = [f'{choose.random()},"w{row % 7}\n""{row}""",{"late" if row == 150 else row}' for row in range(200)]
    source = write(tmp_path, "\r\n".join(["a,t,b", *lines]))
    expected = exactly(source)
    monkeypatch.setattr("trainer_host.recipes.tabular_train.csv_blocks._READ_BYTES", read_bytes)
    assert fast(source) == expected is not None


def test_a_large_file_is_read_fast_and_a_fault_in_it_is_still_named_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LARGE_CSV_BYTES", 1)
    good = write(tmp_path, "a,b\n1,x\n2,y\n")
    monkeypatch.setattr(tables, "read_rows", None)
    assert read_table(good).num_rows == 2

    monkeypatch.undo()
    monkeypatch.setattr(tables, "LARGE_CSV_BYTES", 1)
    bad = write(tmp_path, 'a,b\n1,x\n2,y\n"3\n",z\n4\n')
    with pytest.raises(InvalidTable, match="line 6: 1 fields"):
        read_table(bad)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,a\n1\n2,b\n",
        b"a,b\n1,2,3\n",
        b"a,b\n" + LONG + b"\0,b\n",
        b"a,b\n" + LONG + b"1,\xff\xfe\n",
        b"a,b\n" + LONG + b"1,\xc3",
        b"a,b\n" + b"1" * 3_000_000,
        b'a,b\n1,"' + b"x\n" * 1_000_000 + b'",2\n',
        b'a,b\n1,"a\n1,a\n',
        b'a,b\n1,"a"x\n',
        b'a,b\n1,"' + b"x" * 1_100_000 + b'"\n2,y\n',
    ],
    ids=lambda content: repr(content[-20:]),
)
def test_what_is_no_table_is_refused_as_the_exact_reader_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    source = CsvSource(path)
    with pytest.raises(InvalidTable) as exact:
        read_rows(source, source.columns, ())
    monkeypatch.setattr(tables, "LARGE_CSV_BYTES", 1)
    with pytest.raises(InvalidTable) as refusal:
        read_table(source)
    assert (refusal.value.reason, refusal.value.message) == (exact.value.reason, exact.value.message)


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    found = read_csv(write(tmp_path, "a,b,c\n1,x,2\n3,y,4\n"), ["c"], ())
    assert found is not None
    assert shown(found) == {"c": [2, 4]}


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "\n\na,t\n\n")
    assert fast(source) == exactly(source) == {"a": [], "t": ["texts"]}
