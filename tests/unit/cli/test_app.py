import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from headway.cli.app import COMMANDS, build_app


def run(*arguments: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, without anything of this machine's."""
    return subprocess.run(
        [sys.executable, "-m", "headway.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(environ or {})},
    )


def test_every_command_loads_and_has_help() -> None:
    for entry in COMMANDS:
        result = CliRunner().invoke(build_app([entry.name]), [entry.name, "--help"])
        assert result.exit_code == 0, entry.name
        assert isinstance(import_module(entry.module).app, typer.Typer)


def test_the_root_help_imports_neither_grpc_nor_polars() -> None:
    program = (
        "import sys; sys.argv = ['headway', '--help']\n"
        "from headway.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'grpc', 'polars', 'nats', 'torch', 'google.protobuf'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_a_mistyped_command_gets_the_nearest_one() -> None:
    found = run("jbos", "list")
    assert found.returncode == 2
    assert "Did you mean 'jobs'?" in found.stderr
    assert found.stdout == ""


def test_a_mistyped_sub_command_gets_the_nearest_one() -> None:
    found = run("jobs", "wacth", "x")
    assert found.returncode == 2
    assert "Did you mean 'watch'?" in found.stderr


@pytest.mark.parametrize("arguments", [("jobs", "list"), ("submit", "job.yaml"), ("hosts", "list")])
def test_a_gateway_that_is_not_there_is_said_at_once_with_the_next_command(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("tabular_train: {dataset: iris, target_column: species}", encoding="utf-8")
    typed = [str(job) if argument == "job.yaml" else argument for argument in arguments]
    found = run(*typed, "--address", "127.0.0.1:1", "--home", str(tmp_path))
    assert found.returncode == 6
    assert found.stdout == ""
    assert "headway up" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_name_that_can_be_none_is_a_usage_error(tmp_path: Path) -> None:
    found = run("jobs", "get", "NOT-A-JOB", "--home", str(tmp_path))
    assert found.returncode == 2
    assert "INVALID_NAME" in found.stderr


def test_a_host_id_that_can_be_none_is_a_usage_error(tmp_path: Path) -> None:
    found = run("host", "join", "127.0.0.1:1", "--id", "Not An Id", "--home", str(tmp_path))
    assert found.returncode == 2
    assert "Traceback" not in found.stderr


def test_a_key_that_others_can_read_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "local.key").write_text("hw_x", encoding="utf-8")
    (tmp_path / "keys" / "local.key").chmod(0o644)
    for arguments in (("config", "show"), ("jobs", "list"), ("up", "--port", "0")):
        found = run(*arguments, "--home", str(tmp_path))
        assert found.returncode == 4, arguments
        assert "chmod 600" in found.stderr


def test_a_job_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    found = run("submit", str(tmp_path / "none.yaml"))
    assert found.returncode == 2
    assert "none.yaml" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    program = f"{sys.executable} -m headway.cli config show --home {tmp_path} | true"
    found = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert "Traceback" not in found.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("headway ")
