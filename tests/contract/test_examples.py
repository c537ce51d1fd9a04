"""The examples can be submitted as they are, and train to something better than a guess."""

import subprocess
import sys
from pathlib import Path

import pytest

from headway.cli.jobfile.load import load_job_file
from headway.contract.specs import tabular_distill, tabular_train
from headway.v1.job_specs_pb2 import JobSpec
from tests.attempt_runs import an_input, an_order, finished, run
from tests.distillations import teacher_inputs
from trainer_host.child_messages import Finished, Summary

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
JOB_FILES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))
STUDENT, TEACHER = "digits_student.yaml", "digits.yaml"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    command = [sys.executable, str(EXAMPLES / "write_data.py"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return folder


@pytest.fixture(scope="module")
def teacher(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The teacher's example, trained once."""
    return trained(TEACHER, data, tmp_path_factory.mktemp("teacher"))


def spec_of(name: str) -> JobSpec:
    path = EXAMPLES / name
    return load_job_file(path, path.read_text(encoding="utf-8")).spec


def trained(name: str, data: Path, folder: Path) -> Finished:
    spec = spec_of(name)
    tabular_train.resolve(spec.tabular_train)
    return finished(run(an_order(folder, spec, table=data / spec.tabular_train.data_path)))


def check_better_than_a_guess(summary: Summary) -> None:
    metrics = summary.metrics
    better = metrics["test_metric_value"] > 1.2 * metrics["baseline_value"]
    if summary.headline_metric == "rmse":
        better = metrics["test_metric_value"] < 0.85 * metrics["baseline_value"]
    assert better, metrics


def test_there_are_examples() -> None:
    assert JOB_FILES == [
        "breast_cancer.yaml",
        "breast_cancer_calibrated.yaml",
        "diabetes_recommended.yaml",
        "diabetes_regression.yaml",
        TEACHER,
        STUDENT,
        "iris.yaml",
    ]


@pytest.mark.parametrize("name", [name for name in JOB_FILES if name not in (STUDENT, TEACHER)])
def test_an_example_trains(name: str, data: Path, tmp_path: Path) -> None:
    check_better_than_a_guess(trained(name, data, tmp_path).summary)


def test_the_student_of_the_examples_is_small_and_almost_as_good(data: Path, teacher: Finished, tmp_path: Path) -> None:
    check_better_than_a_guess(teacher.summary)
    spec = spec_of(STUDENT)
    assert spec.tabular_distill.teacher_model_id == spec_of(TEACHER).tabular_train.model_id
    tabular_distill.resolve(spec.tabular_distill)

    inputs = (an_input(data / spec.tabular_distill.training.data_path), *teacher_inputs(Path(teacher.bundle_dir)))
    metrics = finished(run(an_order(tmp_path, spec, inputs=inputs))).summary.metrics

    assert metrics["accuracy"] > metrics["teacher_accuracy"] - 0.02
    assert metrics["student_param_count"] < metrics["teacher_param_count"] / 4
