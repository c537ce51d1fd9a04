"""Reads a CSV file of a million rows and thirty columns as training does, beside pandas and the row-by-row reader."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.large_table_file import NUM_COLUMNS, write_large_table
from tests.bench.load import median
from tests.bench.report import Row

NUM_ROWS = 1_000_000
_ROWS_ONE_BY_ONE = 100_000
_RUNS = 3

_PEAK = """
import json, re, time
from pathlib import Path
def answer(num_rows, begin):
    seconds = time.perf_counter() - begin
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
    print(json.dumps({"rows": num_rows, "seconds": seconds, "peak_mib": int(peak) / 1024}))
"""
"""What the processes measure of themselves; the peak is theirs alone, whatever started them."""

_HEADWAY = """
import sys
import polars
from trainer_host.recipes.tabular_train import limits, table
from trainer_host.recipes.tabular_train.sources import open_source
begin = time.perf_counter()
read = table.read_table(open_source(Path(sys.argv[1]), "csv"), as_text=["day_0", "day_1", "moment"])
answer(read.num_rows, begin)
"""

_ROW_BY_ROW = """
import sys
from trainer_host.recipes.tabular_train.row_columns import read_rows
from trainer_host.recipes.tabular_train.sources import CsvSource
begin = time.perf_counter()
source = CsvSource(Path(sys.argv[1]))
answer(read_rows(source, source.columns, ["day_0", "day_1", "moment"]).num_rows, begin)
"""

_PANDAS = """
import sys
import pandas
begin = time.perf_counter()
answer(len(pandas.read_csv(sys.argv[1])), begin)
"""


@dataclass(frozen=True, slots=True)
class _Reading:
    rows_a_second: float
    peak_mib: float


async def measure() -> list[Row]:
    """Each reader in a process of its own, in turns; medians."""
    with TemporaryDirectory() as scratch:
        path, short = Path(scratch) / "large.csv", Path(scratch) / "short.csv"
        write_large_table(path, NUM_ROWS)
        write_large_table(short, _ROWS_ONE_BY_ONE)
        size_mib = path.stat().st_size / 2**20
        pairs = [(await _read(_HEADWAY, path), await _read(_PANDAS, path)) for _ in range(_RUNS)]
        one_by_one = await _read(_ROW_BY_ROW, short)
    ours, pandas = _median([one for one, _ in pairs]), _median([other for _, other in pairs])
    title = f"CSV of {NUM_ROWS:,} rows x {NUM_COLUMNS} columns ({size_mib:.0f} MiB) to a table"
    return [
        Row(
            f"{title}, rows a second",
            f"{ours.rows_a_second:,.0f}",
            f"pandas.read_csv, which leaves dates and categories as texts: {pandas.rows_a_second:,.0f}",
            f"{ours.rows_a_second / pandas.rows_a_second:.2f}",
        ),
        Row(
            f"{title}, peak resident memory of the process",
            f"{ours.peak_mib:,.0f} MiB",
            f"pandas.read_csv: {pandas.peak_mib:,.0f} MiB",
            f"{ours.peak_mib / pandas.peak_mib:.2f}",
            "at most 1.0 times",
            ours.peak_mib <= pandas.peak_mib,
        ),
        Row(
            f"{title}, rows a second, beside our own reader for small and odd files",
            f"{ours.rows_a_second:,.0f}",
            f"row by row, of {_ROWS_ONE_BY_ONE:,} such rows: {one_by_one.rows_a_second:,.0f}",
            f"{ours.rows_a_second / one_by_one.rows_a_second:.1f}",
            "at least 5 times",
            ours.rows_a_second >= 5 * one_by_one.rows_a_second,
        ),
    ]


async def _read(program: str, path: Path) -> _Reading:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PEAK + program, str(path), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    answer = json.loads(printed)
    return _Reading(answer["rows"] / answer["seconds"], answer["peak_mib"])


def _median(readings: list[_Reading]) -> _Reading:
    return _Reading(
        median([reading.rows_a_second for reading in readings]), median([reading.peak_mib for reading in readings])
    )
