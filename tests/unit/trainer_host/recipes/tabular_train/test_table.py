import math
from pathlib import Path

import numpy as np

from trainer_host.recipes.tabular_train.sources import CsvSource
from trainer_host.recipes.tabular_train.table import Table, read_table


def read(folder: Path, text: str, **options: tuple[str, ...]) -> Table:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return read_table(CsvSource(path), **options)


def texts_of(table: Table) -> dict[str, list[str | None]]:
    return {name: list(texts) for name, texts in table.texts.items()}


def test_a_column_is_numeric_where_every_present_value_is(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,x,1\nNA,2,2\n3,.,x3\n")

    np.testing.assert_array_equal(table.numbers["a"], [1, math.nan, 3])
    assert texts_of(table) == {"b": ["x", "2", None], "c": ["1", "2", "x3"]}
    assert table.num_rows == 3


def test_a_column_without_any_value_is_numeric(tmp_path: Path) -> None:
    assert np.isnan(read(tmp_path, "a,b\n,1\nna,2\n").numbers["a"]).all()


def test_a_column_can_be_kept_as_text_or_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,2,3\n4,5,6\n", skipped=("b",), as_text=("c",))

    assert list(table.numbers) == ["a"]
    assert texts_of(table) == {"c": ["3", "6"]}


def test_a_column_with_a_few_faults_is_text_and_named(tmp_path: Path) -> None:
    rows = "\n".join(str(value) for value in range(40))
    table = read(tmp_path, f"a\n{rows}\n12a\n")

    assert "a" in table.texts
    assert len(table.warnings) == 1
    assert "'12a' in row 41" in table.warnings[0]


def test_a_column_that_is_asked_for_as_text_is_worth_no_warning(tmp_path: Path) -> None:
    rows = "\n".join(str(value) for value in range(40))
    assert read(tmp_path, f"a\n{rows}\n12a\n", as_text=("a",)).warnings == ()


def test_a_column_is_found_whatever_it_holds(tmp_path: Path) -> None:
    table = read(tmp_path, "n,t\n1,a\n2,b\n")
    assert table.column("n") is table.numbers["n"]
    assert table.column("t") is table.texts["t"]
    assert list(table.without("n").numbers) == []
    assert list(table.without("t").texts) == []


def test_a_text_column_is_worth_no_warning(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\nx,1\ny,2\n").warnings == ()


def test_a_table_longer_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    num_rows = 10_000
    text = "n,t\n" + "".join(f"{row},t{row % 3}\n" for row in range(num_rows))

    table = read(tmp_path, text)

    assert table.num_rows == num_rows
    np.testing.assert_array_equal(table.numbers["n"], np.arange(num_rows))
    assert list(table.texts["t"])[-1] == "t0"


def test_rows_are_taken_in_the_order_given(tmp_path: Path) -> None:
    table = read(tmp_path, "n,t\n1,a\n2,b\n3,c\n").take(np.array([2, 0]))

    np.testing.assert_array_equal(table.numbers["n"], [3, 1])
    assert list(table.texts["t"]) == ["c", "a"]
    assert table.num_rows == 2


def test_a_spreadsheet_formula_is_kept_as_text(tmp_path: Path) -> None:
    assert texts_of(read(tmp_path, "a\n=cmd|' /C calc'!A0\nx\n")) == {"a": ["=cmd|' /C calc'!A0", "x"]}
