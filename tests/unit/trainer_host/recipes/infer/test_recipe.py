"""Rows through a bundle, by the executor that runs in a child."""

import csv
import io
import json
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.predictions import PREDICTIONS_PATH, REPORT_PATH
from headway.v1.job_specs_pb2 import InferSpec, JobSpec
from tests.attempt_runs import an_order, failed, finished, run, train_table
from tests.real_tables import write_table
from trainer_host.child_messages import InputFile, RunAttempt

MODEL_FILES = ("manifest.json", "model.json", "model.safetensors", "preprocess.json")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    return Path(finished(train_table(folder / "work", write_table("iris", folder), epochs=20)).bundle_dir)


def an_input(role: str, path: Path) -> InputFile:
    content = path.read_bytes()
    return InputFile(
        role=role,
        path=str(path),
        digest=sha256_of(content),
        size_bytes=len(content),
        format=path.suffix.removeprefix("."),
        dataset="",
        version=0,
        file_name=path.name,
    )


def an_infer_order(bundle: Path, folder: Path, text: str, *, files: tuple[str, ...] = MODEL_FILES) -> RunAttempt:
    folder.mkdir(exist_ok=True)
    rows = folder / "rows.csv"
    rows.write_text(text, encoding="utf-8")
    inputs = (*(an_input(f"model/{name}", bundle / name) for name in files), an_input("rows", rows))
    return an_order(folder / "attempt", JobSpec(infer=InferSpec(model="m")), inputs=inputs)


def test_answers_and_drift_become_the_bundle(bundle: Path, tmp_path: Path) -> None:
    text = write_table("iris", tmp_path).read_text(encoding="utf-8")

    done = finished(run(an_infer_order(bundle, tmp_path / "infer", text)))

    folder = Path(done.bundle_dir)
    lines = list(csv.reader(io.StringIO((folder / PREDICTIONS_PATH).read_text(encoding="utf-8"))))
    truth = [line.rpartition(",")[2] for line in text.splitlines()[1:]]
    assert lines[0][0] == "prediction"
    assert sum(line[0] == true for line, true in zip(lines[1:], truth, strict=True)) > 0.9 * len(truth)
    report = json.loads((folder / REPORT_PATH).read_bytes())
    assert (report["task"], report["num_rows"]) == ("classification", len(truth))
    assert {file.path for file in done.artifacts} == {PREDICTIONS_PATH, REPORT_PATH, "logs.jsonl", "manifest.json"}
    assert (done.summary.headline_metric, done.summary.headline_value) == ("num_rows", len(truth))


def test_rows_that_do_not_fit_are_the_callers_to_mend(bundle: Path, tmp_path: Path) -> None:
    outcome = failed(run(an_infer_order(bundle, tmp_path / "infer", "a,b\n1,2\n")))

    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "MISSING_COLUMN")


def test_a_table_that_is_none_is_the_callers_to_mend(bundle: Path, tmp_path: Path) -> None:
    outcome = failed(run(an_infer_order(bundle, tmp_path / "infer", 'a,b\n"1,2\n')))

    assert outcome.failure_class == "USER_INPUT"


def test_a_model_without_its_weights_is_no_fault_of_the_rows(bundle: Path, tmp_path: Path) -> None:
    order = an_infer_order(bundle, tmp_path / "infer", "a\n1\n", files=("manifest.json", "model.json"))

    assert failed(run(order)).failure_class == "FATAL"
