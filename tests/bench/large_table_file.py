"""Makes a large CSV file of the sort that people keep: numbers, some absent, texts of few and of many words, dates."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

NUM_COLUMNS = 30
_ROWS_AT_ONCE = 100_000
_WORDS = ("north", "south, by east", "west", "north-east", "unknown side", "n/a", "", "centre")


def write_large_table(path: Path, num_rows: int, seed: int = 7) -> None:
    """Write a table with a header; the same seed makes the same file."""
    generator = np.random.default_rng(seed)
    with path.open("wb") as file:
        for start in range(0, num_rows, _ROWS_AT_ONCE):
            frame = _frame(generator, start, min(_ROWS_AT_ONCE, num_rows - start))
            file.write(frame.write_csv(include_header=start == 0).encode())


def _frame(generator: np.random.Generator, start: int, num_rows: int) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    for index in range(10):
        values = generator.normal(index, 1 + index, num_rows).round(6)
        columns[f"number_{index}"] = pl.Series(values).scatter(np.flatnonzero(generator.random(num_rows) < 0.02), None)
    for index in range(6):
        columns[f"count_{index}"] = pl.Series(generator.integers(0, 10 ** (index + 1), num_rows))
    for index in range(6):
        columns[f"place_{index}"] = _texts(generator, list(_WORDS[: index + 3]), num_rows)
    for index in range(3):
        columns[f"product_{index}"] = _texts(generator, [f"product {code:05}" for code in range(5000)], num_rows)
    columns["identifier"] = pl.Series([f"row-{row:09}" for row in range(start, start + num_rows)])
    first = datetime(2020, 1, 1)  # noqa: DTZ001 - tables hold naive times
    days = [(first + timedelta(days=day)).date().isoformat() for day in range(2000)]
    for index in range(2):
        columns[f"day_{index}"] = _texts(generator, days, num_rows)
    moments = [(first + timedelta(minutes=minute)).isoformat() for minute in range(20_000)]
    columns["moment"] = _texts(generator, moments, num_rows)
    columns["target"] = _texts(generator, ["yes", "no", ""], num_rows)
    return pl.DataFrame(columns)


def _texts(generator: np.random.Generator, words: list[str], num_rows: int) -> pl.Series:
    return pl.Series(np.array(words, dtype=object)[generator.integers(0, len(words), num_rows)], dtype=pl.String)
