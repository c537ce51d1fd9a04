"""The examples can be submitted as they are, and train to something better than a guess."""

import subprocess
import sys
from pathlib import Path

import pytest

from headway.cli.jobfile.load import load_job_file
from headway.contract.specs.tabular_train import resolve
from tests.attempt_runs import an_order, finished, run

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
JOB_FILES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    command = [sys.executable, str(EXAMPLES / "write_data.py"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return folder


def test_there_are_examples() -> None:
    assert JOB_FILES == ["breast_cancer.yaml", "diabetes_regression.yaml", "iris.yaml"]


@pytest.mark.parametrize("name", JOB_FILES)
def test_an_example_trains(name: str, data: Path, tmp_path: Path) -> None:
    path = EXAMPLES / name
    spec = load_job_file(path, path.read_text(encoding="utf-8")).spec
    resolve(spec.tabular_train)

    outcome = finished(run(an_order(tmp_path, spec, table=data / spec.tabular_train.data_path)))

    metrics = outcome.summary.metrics
    better = metrics["test_metric_value"] > 1.2 * metrics["baseline_value"]
    if outcome.summary.headline_metric == "rmse":
        better = metrics["test_metric_value"] < 0.85 * metrics["baseline_value"]
    assert better, metrics
