import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gateway.probing import Prober
from gateway.table_probe import Question, answer
from headway.contract.errors import InvalidTable, NotEnoughRows


def test_parquet_tells_names_rows_and_a_preview(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]}).write_parquet(path)
    found = answer(Question(path=str(path), format="parquet", num_rows=2))
    assert (found.header, found.num_rows, found.rows) == (("a", "b"), 3, (("1", "x"), ("2", "")))


def test_a_large_csv_is_counted_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n3,4\n")
    found = answer(Question(path=str(path), format="csv", size_bytes=12))
    assert (found.header, found.num_rows, found.problem) == (("a", "b"), 2, "")


async def test_the_reason_of_a_refusal_comes_through(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n")
    with pytest.raises(NotEnoughRows) as caught:
        await Prober().ask(Question(path=str(path), format="csv", size_bytes=4, field="digest"), field="digest")
    assert caught.value.violations[0].field == "digest"


@pytest.mark.parametrize("data_format", ["xls", "xlsx", "parquet"])
async def test_what_cannot_be_read_is_the_files_fault(tmp_path: Path, data_format: str) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(b"PAR1garbagePAR1")
    with pytest.raises(InvalidTable, match=data_format):
        await Prober().ask(Question(path=str(path), format=data_format), field="digest")


async def test_a_reader_that_dies_is_the_files_fault_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InvalidTable):
        await Prober().ask(Question(path=str(tmp_path), format="xls"), field="digest")


def test_the_process_bounds_its_own_memory(tmp_path: Path) -> None:
    program = "import gateway.table_probe as probe; probe._limit_myself(); bytearray(probe.MEMORY_BYTES)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MemoryError" in ended.stderr


def test_the_gateway_itself_loads_no_reader() -> None:
    program = "import gateway.table_reader, sys; print({'polars', 'fastexcel', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"
