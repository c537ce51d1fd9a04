"""Typed tables: each value counts as the text that it prints as, exactly as if the table were CSV."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trainer_host.recipes.tabular_train.frame_columns import read_frame
from trainer_host.recipes.tabular_train.row_columns import Columns, read_rows
from trainer_host.recipes.tabular_train.sources import FrameSource, open_source
from trainer_host.recipes.tabular_train.table import read_table
from trainer_host.recipes.tabular_train.texts import Texts

FRAME = pl.DataFrame(
    {
        "integer": pl.Series([1, None, 2**53 + 1], dtype=pl.Int64),
        "large": pl.Series([2**64 - 1, None, 0], dtype=pl.UInt64),
        "single": pl.Series([0.1, None, float("nan")], dtype=pl.Float32),
        "infinite": [1.5, float("inf"), None],
        "text": ["a", None, " b "],
        "digits": ["1", "NA", " 2.5"],
        "flag": [True, False, None],
        "day": [date(2023, 1, 31), None, date(2023, 1, 31)],
        "time": [datetime(2023, 1, 31, 10), None, datetime(2024, 1, 1)],  # noqa: DTZ001 - tables hold naive times
        "price": [Decimal("1.50"), None, Decimal("2.25")],
        "kind": pl.Series(["x", None, "y"], dtype=pl.Categorical),
        "nothing": pl.Series([None, None, None], dtype=pl.Null),
        "no_text": pl.Series([None, None, None], dtype=pl.String),
    }
)


def shown(columns: Columns) -> dict[str, list[str | None] | str]:
    return {
        name: list(column) if isinstance(column, Texts) else str(column.tolist())
        for name, column in columns.by_name.items()
    }


@pytest.mark.parametrize("as_text", [(), FRAME.columns])
def test_columns_are_as_if_each_cell_were_read_alone(as_text: list[str]) -> None:
    source = FrameSource(FRAME.lazy(), FRAME.columns)
    assert shown(read_frame(source, FRAME.columns, as_text)) == shown(read_rows(source, FRAME.columns, as_text))


def test_more_columns_than_are_read_at_once_come_back_in_order() -> None:
    frame = pl.DataFrame({f"c{index}": [index, index + 1] for index in range(40)})
    found = read_frame(FrameSource(frame.lazy(), frame.columns), frame.columns, ())
    assert list(found.by_name) == frame.columns
    assert found.num_rows == 2
    np.testing.assert_array_equal(np.asarray(found.by_name["c39"]), [39, 40])


def test_a_parquet_file_is_the_same_table_as_a_csv_file(tmp_path: Path) -> None:
    frame = FRAME.select("integer", "text", "digits", "day", "price")
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    typed, plain = (read_table(open_source(tmp_path / name, name[2:])) for name in ("t.parquet", "t.csv"))
    assert {name: list(texts) for name, texts in typed.texts.items()} == {
        name: list(texts) for name, texts in plain.texts.items()
    }
    for name, values in typed.numbers.items():
        np.testing.assert_array_equal(values, plain.numbers[name])
