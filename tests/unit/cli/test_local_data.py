from pathlib import Path

import pytest

from headway.cli.local_data import find_local


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jobs" / "table.csv"
    path.parent.mkdir()
    path.write_text("a,b\n", encoding="utf-8")
    return path


def test_a_file_beside_the_job_file_is_local(table: Path) -> None:
    assert find_local("table.csv", table.parent) == table


def test_a_file_where_the_command_runs_is_local(table: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(table.parent)
    assert find_local("table.csv", tmp_path) == table


def test_an_absolute_path_to_a_file_is_local(table: Path) -> None:
    assert find_local(str(table), Path("/")) == table


@pytest.mark.parametrize("data_path", ["none.csv", "jobs", "https://example.com/table.csv", "/none/table.csv"])
def test_anything_else_is_the_gateways(data_path: str, table: Path) -> None:
    assert find_local(data_path, table.parent.parent) is None
