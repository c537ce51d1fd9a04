"""The command line against everything that `headway up` starts: real processes, real data, real exit codes."""

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from headway.cli.tour.material import Material, write_material
from headway.testing.eventually import eventually
from tests.e2e.cli_stack import Headway, descendants, up, wait_for_line

QUICK = ("--set", "tabular_train.epochs=2")
LONG = ("--set", "tabular_train.epochs=500", "--set", "tabular_train.batch_size=1")


@pytest.fixture(scope="module")
def headway(tmp_path_factory: pytest.TempPathFactory) -> Generator[Headway]:
    """One running set of services for all tests of this file."""
    headway = Headway(tmp_path_factory.mktemp("home"))
    with up(headway):
        yield headway


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return write_material(tmp_path_factory.mktemp("job"))


@pytest.fixture
def long_job(headway: Headway, material: Material) -> Generator[str]:
    """The name of a job that would train for minutes; cancelled afterwards."""
    name = headway("submit", str(material.job), *LONG).stdout.strip()
    yield name
    headway("jobs", "cancel", name, "--wait")


def test_a_job_is_trained_and_its_model_pulled(headway: Headway, material: Material, tmp_path: Path) -> None:
    submitted = headway("submit", str(material.job), *QUICK, "--wait", "-o", "json")
    assert submitted.returncode == 0, submitted.stderr
    job = json.loads(submitted.stdout)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert "SUCCEEDED" in submitted.stderr

    version = job["result"]["model_version"]
    pulled = headway("models", "pull", version, "--to", str(tmp_path / "model"))
    assert (pulled.returncode, pulled.stdout.strip()) == (0, str(tmp_path / "model"))
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert headway("models", "pull", version, "--to", str(tmp_path / "model")).returncode == 0

    other = headway("models", "pull", version, "--to", str(material.folder))
    assert other.returncode == 5
    assert "FOLDER_IN_USE" in other.stderr


def test_what_there_is_can_be_listed_and_read(headway: Headway, material: Material) -> None:
    name = headway("submit", str(material.job), *QUICK, "--wait", "-o", "name").stdout.strip()
    assert name in headway("jobs", "list", "-o", "name").stdout.splitlines()
    assert (
        headway("jobs", "list", "--filter", "state = SUCCEEDED", "--limit", "1", "-o", "name").stdout.count("\n") == 1
    )
    assert "claimed" in headway("jobs", "get", name).stdout
    assert "Step 1" in headway("jobs", "logs", name).stdout
    assert headway("jobs", "explain", name).returncode == 0
    assert "breast-cancer" in headway("models", "list").stdout
    assert json.loads(headway("datasets", "list", "-o", "json").stdout)[0]["num_rows"] == "569"
    assert "mean radius" in headway("datasets", "preview", "breast_cancer", "--rows", "1").stdout
    assert "local" in headway("hosts", "list").stdout


def test_a_student_learns_from_a_model_and_answers_rows(headway: Headway, material: Material) -> None:
    teacher = ("--set", "tabular_train.epochs=10", "--set", "tabular_train.model_id=teacher")
    trained = headway("submit", str(material.job), *teacher, "--wait", "-o", "json")
    assert trained.returncode == 0, trained.stderr

    distilled = headway("distill", "teacher", "--epochs", "10", "--mixup", "1", "--wait", "-o", "json")
    assert distilled.returncode == 0, distilled.stderr
    metrics = json.loads(distilled.stdout)["result"]["summary"]["metrics"]
    of_the_teacher = json.loads(trained.stdout)["result"]["summary"]["metrics"]
    assert metrics["teacher_accuracy"] == of_the_teacher["accuracy"], "the student should have its teacher's test rows"
    assert metrics["student_param_count"] < metrics["teacher_param_count"] / 2

    shown = headway("models", "get", "teacher-student@latest")
    assert shown.returncode == 0, shown.stderr
    for words in ("% saved", "boosted tree", "loss when shuffled", "taken for", "probability of the answer"):
        assert words in shown.stdout
    figures = json.loads(headway("models", "get", "teacher-student@latest", "-o", "json").stdout)["figures"]
    assert {one["label"] for one in figures["per_class"]} == {"malignant", "benign"}

    predicted = headway("models", "predict", "teacher-student", "--csv", str(material.rows), "-o", "json")
    assert predicted.returncode == 0, predicted.stderr
    labels = [one["label"] for one in json.loads(predicted.stdout)["predictions"]]
    assert labels == list(material.answers)


def test_a_teacher_that_is_none_is_told_with_what_to_type_next(headway: Headway) -> None:
    unknown = headway("distill", "nobody")
    assert (unknown.returncode, unknown.stdout) == (3, "")
    assert "models list" in unknown.stderr
    folder = headway("distill", "folder/of/a/teacher")
    assert (folder.returncode, folder.stdout) == (2, "")
    assert "--data" in folder.stderr


def test_a_job_file_is_validated_without_queueing(headway: Headway, material: Material) -> None:
    before = headway("jobs", "list", "-o", "name").stdout
    found = headway("validate", str(material.job))
    assert found.returncode == 0
    assert "would run" in found.stdout
    assert headway("jobs", "list", "-o", "name").stdout == before


def test_mistakes_are_all_named_and_nothing_is_queued(headway: Headway, material: Material) -> None:
    found = headway("submit", str(material.bad_job))
    assert (found.returncode, found.stdout) == (2, "")
    for words in ("tabular_train.epochs", "1 to 500", "tabular_train.batch_size", "tabular_train.learning_rate"):
        assert words in found.stderr


def test_a_request_id_makes_a_submit_safe_to_repeat(headway: Headway, material: Material) -> None:
    once = headway("submit", str(material.job), *QUICK, "--request-id", "nightly-1")
    again = headway("submit", str(material.job), *QUICK, "--request-id", "nightly-1")
    assert once.stdout == again.stdout != ""
    other = headway("submit", str(material.job), "--request-id", "nightly-1")
    assert other.returncode == 5
    assert "REQUEST_ID_REUSED" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (("jobs", "get", "j" + "a" * 25), 3, "NOT_FOUND"),
        (("models", "get", "none"), 3, "NOT_FOUND"),
        (("jobs", "list", "--filter", "colour = red"), 2, "INVALID_FILTER"),
    ],
)
def test_an_exit_code_says_what_is_wrong(
    headway: Headway, arguments: tuple[str, ...], exit_code: int, reason: str
) -> None:
    found = headway(*arguments)
    assert (found.returncode, found.stdout) == (exit_code, "")
    assert reason in found.stderr


def test_a_wrong_key_is_exit_code_4(headway: Headway, tmp_path: Path) -> None:
    stranger = Headway(tmp_path)
    gateway = json.loads((headway.home / "run.json").read_text(encoding="utf-8"))["gateway_address"]
    assert stranger("jobs", "list", "--address", gateway).returncode == 4


def test_a_gpu_that_is_not_there_is_exit_code_5(headway: Headway, material: Material) -> None:
    found = headway("submit", str(material.job), "--set", "resource_spec.require_gpu=true")
    assert found.returncode == 5
    assert "NO_GPU_HOST" in found.stderr
    assert "hosts list" in found.stderr


def test_a_time_limit_is_exit_code_7_and_the_job_goes_on(headway: Headway, long_job: str) -> None:
    found = headway("jobs", "watch", long_job, "--timeout", "1")
    assert found.returncode == 7
    assert "the job goes on" in found.stderr
    assert json.loads(headway("jobs", "get", long_job, "-o", "json").stdout)["state"] != "JOB_STATE_CANCELLED"


def test_ctrl_c_detaches_and_says_how_to_go_on(headway: Headway, long_job: str) -> None:
    watch = headway.start("jobs", "watch", long_job)
    wait_for_line(watch, "submitted")
    watch.send_signal(signal.SIGINT)
    _, told = watch.communicate(timeout=30)
    assert watch.returncode == 130
    assert f"jobs watch {long_job.rpartition('/')[2]}" in told
    assert "Traceback" not in told
    assert json.loads(headway("jobs", "get", long_job, "-o", "json").stdout)["state"] in {
        "JOB_STATE_QUEUED",
        "JOB_STATE_RUNNING",
    }


def test_a_cancelled_job_is_exit_code_1_for_who_waits(headway: Headway, long_job: str) -> None:
    watch = headway.start("jobs", "watch", long_job)
    wait_for_line(watch, "submitted")
    cancelled = headway("jobs", "cancel", long_job, "--message", "enough", "--wait")
    assert (cancelled.returncode, cancelled.stdout.strip()) == (0, long_job)
    watch.communicate(timeout=30)
    assert watch.returncode == 1
    assert headway("jobs", "cancel", long_job).returncode == 0


def test_a_watch_survives_the_death_of_the_gateway(headway: Headway, material: Material) -> None:
    wait = headway.start("submit", str(material.job), "--wait", "--set", "tabular_train.epochs=500")
    wait_for_line(wait, "claimed")
    os.kill(headway.pid_of("gateway"), signal.SIGKILL)
    _, told = wait.communicate(timeout=60)
    assert wait.returncode == 0, told
    assert told.count("committed") == 1


def test_events_can_be_followed(headway: Headway, material: Material) -> None:
    tail = headway.start("events", "tail", "-o", "name")
    wait_for_line(tail, "listening")
    assert tail.stdout is not None
    name = headway("submit", str(material.job), *QUICK, "--wait", "-o", "name").stdout.strip()
    subjects = [tail.stdout.readline().strip() for _ in range(3)]
    tail.send_signal(signal.SIGINT)
    tail.communicate(timeout=30)
    assert tail.returncode == 130
    job = name.rpartition("/")[2]
    assert subjects[:2] == [f"trainer.train.{event}.v1.default.{job}" for event in ("queued", "started")]


def test_the_doctor_finds_nothing_wrong(headway: Headway) -> None:
    found = headway("doctor")
    assert found.returncode == 0, found.stdout
    assert "fail" not in found.stdout


def test_a_second_supervisor_on_the_same_home_is_refused(headway: Headway) -> None:
    found = headway("up")
    assert found.returncode == 5
    assert "HOME_IN_USE" in found.stderr


async def test_a_host_joins_with_one_command_and_leaves_on_ctrl_c(headway: Headway) -> None:
    gateway = json.loads((headway.home / "run.json").read_text(encoding="utf-8"))["gateway_address"]
    join = headway.start("host", "join", gateway, "--id", "second")
    try:
        wait_for_line(join, "joining")
        await eventually(lambda: states(headway).get("hosts/second") == "HOST_STATE_UP", timeout_seconds=60)
    finally:
        join.send_signal(signal.SIGINT)
        join.communicate(timeout=30)
    assert join.returncode == 0
    await eventually(lambda: states(headway).get("hosts/second") != "HOST_STATE_UP", timeout_seconds=30)


def test_the_default_mode_is_changed_and_told(headway: Headway) -> None:
    assert headway("config", "get", "-o", "name").stdout.strip() == "auto"
    changed = headway("config", "set-mode", "local", "-o", "name")
    assert (changed.returncode, changed.stdout.strip()) == (0, "local")
    assert headway("config", "set-mode", "auto").returncode == 0


def test_a_stop_is_orderly_and_leaves_nothing(tmp_path: Path) -> None:
    headway = Headway(tmp_path)
    with up(headway) as process:
        below = descendants(process.pid)
        assert len(below) >= 4
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=12)
        assert process.returncode == 0
    assert [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert not (tmp_path / "run.json").exists()


async def test_a_killed_supervisor_leaves_no_orphans_and_can_start_again(tmp_path: Path) -> None:
    headway = Headway(tmp_path)
    with up(headway) as process:
        below = descendants(process.pid)
        process.kill()
        process.communicate(timeout=10)
        await eventually(lambda: not any(one.is_running() for one in below), timeout_seconds=15)
    with up(headway):
        assert headway("jobs", "list").returncode == 0


def test_the_demo_runs_through_and_keeps_its_model(tmp_path: Path) -> None:
    demo = Headway(tmp_path / "home")("demo", "--to", str(tmp_path / "files"), timeout=110)
    assert demo.returncode == 0, demo.stderr
    assert "3 fields are refused" in demo.stderr
    assert "done in" in demo.stdout
    (model,) = (tmp_path / "files").glob("model-*")
    assert (model / "model.safetensors").is_file()


def states(headway: Headway) -> dict[str, str]:
    return {host["name"]: host["state"] for host in json.loads(headway("hosts", "list", "-o", "json").stdout)}
