"""`headway backup`, `restore` and `recover` as a user runs them (P3)."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headway.cli.exit_codes import ExitCode
from tests.e2e.cli_stack import Headway, up, wait_for_line

JOB = "display_name: iris\ntabular_train: {data_path: iris.csv, target_column: target, epochs: 3, model_id: iris}\n"


def names(headway: Headway, what: str) -> list[str]:
    done = headway(what, "list", "-o", "name")
    assert done.returncode == ExitCode.OK, done.stderr
    return done.stdout.split()


def pulled(headway: Headway, folder: Path) -> bytes:
    done = headway("models", "pull", "iris", "--to", str(folder))
    assert done.returncode == ExitCode.OK, done.stderr
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def trained(tmp_path: Path, data: Path) -> Iterator["Trained"]:
    """A headway that is up, with one job that has made a model."""
    shutil.copy(data / "iris.csv", tmp_path / "iris.csv")
    job_file = tmp_path / "job.yaml"
    job_file.write_text(JOB)
    headway = Headway(tmp_path / "home")
    with up(headway) as running:
        done = headway("submit", str(job_file), "--wait", timeout=120)
        assert done.returncode == ExitCode.OK, done.stderr
        yield Trained(headway, running, job_file, names(headway, "jobs"), pulled(headway, tmp_path / "before"))


@dataclass
class Trained:
    """What there is before anything goes wrong."""

    headway: Headway
    running: "subprocess.Popen[str]"
    job_file: Path
    jobs: list[str]
    model: bytes

    def stop(self) -> None:
        """As Ctrl-C."""
        self.running.send_signal(signal.SIGTERM)
        self.running.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(300)  # Some ten commands, each a process, and two starts of everything.
def test_a_lost_store_is_recovered_p3(trained: Trained, tmp_path: Path) -> None:
    headway = trained.headway
    os.kill(headway.pid_of("nats-server"), signal.SIGKILL)
    shutil.rmtree(headway.home / "nats" / "store")
    wait_for_line(trained.running, "STORE_LOST")
    done = headway("submit", str(trained.job_file))
    assert done.returncode == ExitCode.REFUSED
    assert "headway recover" in done.stderr
    assert names(headway, "jobs") == trained.jobs
    assert pulled(headway, tmp_path / "lost") == trained.model
    assert "fix: stop headway, then: headway recover" in headway("doctor").stdout
    refused = headway("recover")
    assert refused.returncode == ExitCode.REFUSED
    assert "HOME_IN_USE" in refused.stderr
    trained.stop()
    done = headway("recover", "-o", "json", timeout=120)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout)["state"] == "recovered"
    done = headway("recover", timeout=120)
    assert done.returncode == ExitCode.OK
    assert "nothing is lost" in done.stderr
    with up(headway):
        assert names(headway, "jobs") == trained.jobs
        assert pulled(headway, tmp_path / "recovered") == trained.model


@pytest.mark.slow
@pytest.mark.timeout(300)  # Some ten commands, each a process, and two starts of everything.
def test_a_backup_that_was_made_while_it_ran_is_restored(trained: Trained, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    done = trained.headway("backup", str(backup), "-o", "json")
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout)["jobs_by_state"] == {"SUCCEEDED": 1}
    assert trained.headway("backup", str(backup)).returncode == ExitCode.REFUSED, "it is not empty any more"
    trained.stop()
    assert trained.headway("backup", str(tmp_path / "stopped"), timeout=120).returncode == ExitCode.OK

    restored = Headway(tmp_path / "restored")
    done = restored("restore", str(backup), timeout=120)
    assert done.returncode == ExitCode.OK, done.stderr
    assert restored("restore", str(backup)).returncode == ExitCode.REFUSED, "it is a home now"
    other = Headway(tmp_path / "other")
    assert other("restore", str(tmp_path / "before"), timeout=120).returncode == ExitCode.REFUSED, "that is no backup"
    with up(restored):
        assert names(restored, "jobs") == trained.jobs
        assert pulled(restored, tmp_path / "of-the-backup") == trained.model
