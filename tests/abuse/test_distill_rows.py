"""Rows B and C23 of the abuse corpus for kind tabular_distill: submissions, and teachers that are none.

Not here: B2, every pair of faults, is tests/contract/test_gateway_distill_chain.py; what all kinds share, such as B3,
B21 and B25, is in test_submit_rows.py.
"""

import math
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.runtime.remote_error import answer
from headway.v1.job_specs_pb2 import JobSpec, TabularDistillSpec, TabularTask, TabularTrainSpec
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import CreateJobRequest, ListJobsRequest
from tests.abuse.harness import Row, judge
from tests.jobs_gateway import PARENT, Gateway, a_request
from tests.proto_fields import with_fields
from tests.trained_runs import put_bundle

pytestmark = pytest.mark.asyncio(loop_scope="module")
DISTILL = "job.spec.tabular_distill"
INT32_MAX = 2**31 - 1
BIG = "x" * 10_000
GOOD = "teachers/good"
TRAINING_FIELDS = {field.name for field in TabularTrainSpec.DESCRIPTOR.fields}


def a_student(**changes: object) -> CreateJobRequest:
    """A submission that is admitted but for what is given: fields of the training and of the distillation alike."""
    training = TabularTrainSpec(data_path="iris.csv")
    with_fields(training, {name: value for name, value in changes.items() if name in TRAINING_FIELDS})
    spec = TabularDistillSpec(training=training, teacher_model_path=GOOD)
    with_fields(spec, {name: value for name, value in changes.items() if name not in TRAINING_FIELDS})
    return a_request(JobSpec(tabular_distill=spec), validate_only=True)


def row(row_id: str, reason: str, field: str, changes: Mapping[str, object]) -> Row[Gateway]:
    name, value = next(iter(changes.items()))
    path = f"{DISTILL}.training.{field}" if field in TRAINING_FIELDS else f"{DISTILL}.{field}"
    return Row(
        id=row_id,
        what=f"{name} {str(value)[:20]!a}",
        send=lambda gateway: gateway.jobs.CreateJob(a_student(**changes)),
        code=Code.INVALID_ARGUMENT if field else Code.NOT_FOUND,
        reason=reason,
        field=path if field else "",
        sent=value if isinstance(value, str) and len(value) > 64 else "",
    )


def number(row_id: str, field: str, value: float) -> Row[Gateway]:
    return row(row_id, "OUT_OF_RANGE", field, {field: value})


def no_run(text: str) -> Row[Gateway]:
    return row("C23", "NOT_FOUND", "", {"teacher_run_id": text})


def no_model(text: str) -> Row[Gateway]:
    return row("C23", "UNKNOWN_TEACHER", "teacher_model_id", {"teacher_model_path": "", "teacher_model_id": text})


def no_folder(text: str, reason: str = "DATA_PATH") -> Row[Gateway]:
    return row("C23", reason, "teacher_model_path", {"teacher_model_path": text})


ROWS: tuple[Row[Gateway], ...] = (
    Row(
        id="B1",
        what="no training",
        send=lambda gateway: gateway.jobs.CreateJob(
            CreateJobRequest(parent=PARENT, job=Job(spec=JobSpec(tabular_distill=TabularDistillSpec())))
        ),
        reason="FIELD_REQUIRED",
        field=f"{DISTILL}.training",
        is_bounded=False,
    ),
    row("B1", "FIELD_REQUIRED", "data_path", {"data_path": ""}),
    row("B1", "FIELD_REQUIRED", "teacher_run_id", {"teacher_model_path": ""}),
    number("B5", "epochs", 0),
    number("B5", "epochs", INT32_MAX),
    number("B5", "patience", 501),
    number("B6", "batch_size", 0),
    number("B6", "batch_size", 61),
    number("B7", "learning_rate", 0.0),
    number("B7", "learning_rate", math.nan),
    number("B7", "test_size", 1.0),
    number("B7", "temperature", 0.0),
    number("B7", "temperature", 20.5),
    number("B7", "temperature", math.inf),
    number("B7", "alpha", -0.5),
    number("B7", "alpha", math.nan),
    number("B7", "mixup_ratio", 9.0),
    number("B7", "mixup_ratio", -math.inf),
    number("B8", "random_seed", 2**32),
    number("B9", "student_hidden_dim", INT32_MAX),
    number("B9", "student_num_hidden_layers", 10_000),
    number("B10", "student_dropout", 1.0),
    number("B10", "student_dropout", math.nan),
    row("B11", "UNKNOWN_MODE", "training_mode", {"training_mode": "TRAIN "}),
    row("B11", "UNKNOWN_MODE", "training_mode", {"training_mode": "__import__('os')"}),
    row("B11", "UNKNOWN_MODE", "training_mode", {"training_mode": BIG}),
    row("B11", "MODE_NOT_POSSIBLE", "training_mode", {"training_mode": "calibrated_classifier"}),
    row("B14", "MODEL_ID", "model_id", {"model_id": "../../etc/x"}),
    row("B14", "MODEL_ID", "model_id", {"model_id": "\u202eabc"}),
    row("B16", "DATA_PATH", "data_path", {"data_path": "../secret.csv"}),
    row("B16", "DATA_PATH", "data_path", {"data_path": "/etc/passwd"}),
    row("B16", "DATA_PATH", "unlabelled_data_path", {"unlabelled_data_path": "../secret.csv"}),
    row("B16", "DATA_PATH", "unlabelled_data_path", {"unlabelled_data_path": "/dev/zero"}),
    row("B17", "SCHEME", "data_path", {"data_path": "http://169.254.169.254/latest"}),
    row("B17", "SCHEME", "unlabelled_data_path", {"unlabelled_data_path": "s3://bucket/key.csv"}),
    row("B19", "COLUMNS", "exclude_columns", {"exclude_columns": ["nowhere"]}),
    row("B19", "COLUMNS", "target_column", {"target_column": "nowhere"}),
    row("B19", "COLUMNS", "target_column", {"target_column": BIG}),
    row("B19", "TEACHER_MISMATCH", "target_column", {"target_column": "sepal"}),
    no_run("j" + "a" * 25),
    no_run("../../etc/passwd"),
    no_run(BIG),
    no_run("a\0b\x1b[31m"),
    no_run("projects/other/jobs/j" + "a" * 25),
    no_model("nothing"),
    no_model("../../etc/x"),
    no_model("big@../x"),
    no_model("projects/other/models/big"),
    no_model(BIG),
    no_folder("../outside"),
    no_folder("/etc"),
    no_folder("teachers/link"),
    no_folder("teachers/links"),
    no_folder("teachers/nothing"),
    no_folder("teachers/fifo"),
    no_folder("a/" * 200 + "b"),
    no_folder(BIG),
    no_folder("file:///etc", "SCHEME"),
    no_folder("http://169.254.169.254/model", "SCHEME"),
    no_folder("teachers/pickle", "FORBIDDEN_CONTENT"),
    no_folder("teachers/pickle.pt", "FORBIDDEN_CONTENT"),
    no_folder("teachers/other", "TEACHER_MISMATCH"),
    row("C23", "OUT_OF_RANGE", "ensemble_teacher_model_ids", {"ensemble_teacher_model_ids": ["big"] * 9}),
    row("C23", "UNKNOWN_TEACHER", "ensemble_teacher_model_ids[0]", {"ensemble_teacher_model_ids": ["nothing"]}),
    row("C23", "TEACHER_MISMATCH", "task", {"task": TabularTask.TABULAR_TASK_REGRESSION}),
)


class Canary:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture(scope="module", autouse=True)
def hostile_teachers(gateway: Gateway) -> None:
    """What a careless or hostile person may put below the data root."""
    teachers, outside = gateway.home / "data" / "teachers", gateway.home / "outside"
    put_bundle(outside)
    put_bundle(teachers / "good")
    put_bundle(teachers / "other", columns=("sepal", "weight"))
    (teachers / "link").symlink_to(outside)
    (teachers / "links").mkdir()
    (teachers / "fifo").mkdir()
    for name in ("manifest.json", "model.json", "preprocess.json", "model.safetensors"):
        (teachers / "links" / name).symlink_to(outside / name)
        os.mkfifo(teachers / "fifo" / name)
    put_bundle(teachers / "pickle")
    evil = pickle.dumps(Canary(gateway.home / "canary"))
    (teachers / "pickle" / "model.safetensors").write_bytes(evil)
    (teachers / "pickle.pt").write_bytes(evil)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_hostile_distillation_gets_the_right_answer_p32(row: Row[Gateway], gateway: Gateway) -> None:
    await judge(row, gateway, good=lambda: answer(gateway.jobs.CreateJob(a_student())))


async def test_no_refused_distillation_left_a_job_and_nothing_was_unpickled(gateway: Gateway) -> None:
    assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 0
    assert not (gateway.home / "canary").exists()
