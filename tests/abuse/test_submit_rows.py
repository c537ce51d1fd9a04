"""Rows B of the abuse corpus: submissions of tabular_train. The reasons are headway's own; see docs on errors.

Not here: tabular_distill is test_distill_rows.py; B2, every pair of faults, is tests/contract/test_gateway_chain.py;
B4 and B22 are below and beside it in test_gateway_jobs.py and test_submit_quota.py; B24 belongs to kinds of a later
release.
"""

import math
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.runtime.remote_error import answer
from headway.v1.job_specs_pb2 import (
    EvalPolicy,
    ExecutionMode,
    JobSpec,
    Policies,
    ResourceSpec,
    TabularTask,
    TabularTrainSpec,
)
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Job
from headway.v1.jobs_service_pb2 import CreateJobRequest, ListJobsRequest
from tests.abuse.harness import Row, judge
from tests.abuse.raw_http2 import send_bytes
from tests.jobs_gateway import PARENT, Gateway, a_request, a_spec
from tests.proto_fields import with_fields

pytestmark = pytest.mark.asyncio(loop_scope="module")
Send = Callable[[Gateway], Awaitable[object]]
TABULAR = "job.spec.tabular_train"
INT32_MAX = 2**31 - 1
BIG = "x" * 10_000


def raw(content: bytes) -> Send:
    """Bytes as the request."""

    async def send(gateway: Gateway) -> object:
        return await send_bytes(gateway.channel, "/headway.v1.JobService/CreateJob", content)

    return send


def submitted(request: CreateJobRequest) -> Send:
    return lambda gateway: gateway.jobs.CreateJob(request)


def with_spec(**changes: object) -> Send:
    return submitted(a_request(a_spec(**changes)))


def with_job(**changes: object) -> Send:
    return submitted(a_request(with_fields(a_spec(), changes)))


def number(row_id: str, field: str, value: float, reason: str = "OUT_OF_RANGE") -> Row[Gateway]:
    return Row(
        id=row_id,
        what=f"{field} {value!r}",
        send=with_spec(**{field: value}),
        reason=reason,
        field=f"{TABULAR}.{field}",
    )


def request_id(what: str, text: str) -> Row[Gateway]:
    return Row(
        id="B3",
        what=f"request_id {what}",
        send=submitted(a_request(request_id=text)),
        reason="REQUEST_ID",
        field="request_id",
        sent=text,
    )


def model_id(text: str) -> Row[Gateway]:
    return Row(
        id="B14",
        what=f"model_id {text[:20]!a}",
        send=with_spec(model_id=text),
        reason="MODEL_ID",
        field=f"{TABULAR}.model_id",
        sent=text,
    )


def data_path(text: str, reason: str = "DATA_PATH", row_id: str = "B16") -> Row[Gateway]:
    return Row(
        id=row_id,
        what=f"data_path {text[:30]!a}",
        send=with_spec(data_path=text),
        reason=reason,
        field=f"{TABULAR}.data_path",
        sent=text if len(text) > 64 else "",
    )


def columns(what: str, row_id: str = "B19", **changes: object) -> Row[Gateway]:
    field = next(iter(changes))
    return Row(id=row_id, what=what, send=with_spec(**changes), reason="COLUMNS", field=f"{TABULAR}.{field}")


def mode(text: str) -> Row[Gateway]:
    return Row(
        id="B11",
        what=f"training_mode {text[:20]!a}",
        send=with_spec(training_mode=text),
        reason="UNKNOWN_MODE",
        field=f"{TABULAR}.training_mode",
        sent=text,
    )


def read_only(field: str, **values: object) -> Row[Gateway]:
    request = a_request()
    with_fields(request.job, values)
    return Row(
        id="B21", what=field, send=submitted(request), reason="READ_ONLY_FIELD", field=f"job.{field}", is_bounded=False
    )


def common(what: str, field: str, **changes: object) -> Row[Gateway]:
    return Row(id="B25", what=what, send=with_job(**changes), reason="OUT_OF_RANGE", field=f"job.spec.{field}")


def required(what: str, request: CreateJobRequest, field: str) -> Row[Gateway]:
    return Row(id="B1", what=what, send=submitted(request), reason="FIELD_REQUIRED", field=field, is_bounded=False)


ROWS: tuple[Row[Gateway], ...] = (
    required("empty message", CreateJobRequest(), "parent"),
    required("no job", CreateJobRequest(parent=PARENT), "job"),
    required("no spec", CreateJobRequest(parent=PARENT, job=Job()), "job.spec"),
    columns("no target", "B1", target_column=""),
    Row(
        id="B1",
        what="no kind",
        send=submitted(a_request(JobSpec(priority=1))),
        reason="FIELD_REQUIRED",
        field="job.spec",
    ),
    Row(
        id="B1",
        what="no data",
        send=submitted(a_request(JobSpec(tabular_train=TabularTrainSpec(target_column="species")))),
        reason="FIELD_REQUIRED",
        field=f"{TABULAR}.data_path",
    ),
    Row(
        id="B1",
        what="malformed parent",
        send=submitted(CreateJobRequest(parent="demo/../x", job=Job(spec=a_spec()))),
        reason="INVALID_NAME",
        field="parent",
    ),
    request_id("empty", ""),
    request_id("of 257 characters", "a" * 257),
    request_id("with control characters", "a\x00b\nc\x1b[31m"),
    request_id("of emoji", "🎉" * 80),
    number("B5", "epochs", 0),
    number("B5", "epochs", -1),
    number("B5", "epochs", INT32_MAX),
    number("B6", "batch_size", 0),
    number("B6", "batch_size", -8),
    number("B6", "batch_size", INT32_MAX),
    number("B6", "batch_size", 61),
    number("B7", "learning_rate", 0.0),
    number("B7", "learning_rate", -1.0),
    number("B7", "learning_rate", math.nan),
    number("B7", "learning_rate", math.inf),
    number("B7", "learning_rate", -math.inf),
    number("B7", "learning_rate", 1e308),
    number("B7", "test_size", 0.0),
    number("B7", "test_size", 1.0),
    number("B7", "test_size", math.nan),
    number("B8", "random_seed", -1),
    number("B8", "random_seed", 2**32),
    number("B9", "hidden_dim", 7),
    number("B9", "num_hidden_layers", 10_000),
    # The bounds of both fields answer before the product could be formed: the largest admitted model is small.
    Row(
        id="B9",
        what="parameter bomb",
        send=with_spec(hidden_dim=INT32_MAX, num_hidden_layers=10_000),
        reason="OUT_OF_RANGE",
        field=f"{TABULAR}.num_hidden_layers",
    ),
    number("B5", "patience", 0),
    number("B5", "patience", 501),
    number("B10", "dropout", 1.0),
    number("B10", "dropout", -0.1),
    number("B10", "dropout", math.nan),
    mode("TRAIN "),
    mode("__import__('os')"),
    mode(BIG),
    mode("tabresnet2"),
    Row(
        id="B11",
        what="a mode for classes and a regression",
        send=with_spec(training_mode="imbalance_aware", task=TabularTask.TABULAR_TASK_REGRESSION),
        reason="MODE_NOT_POSSIBLE",
        field=f"{TABULAR}.training_mode",
    ),
    Row(
        id="B12",
        what="execution_mode 99",
        send=raw(a_request(a_spec()).SerializeToString() + b"\x12\x04\x12\x02\x48\x63"),
        reason="UNKNOWN_ENUM_VALUE",
        field="job.spec.execution_mode",
    ),
    Row(
        id="B13",
        what="a GPU that no host has",
        send=with_job(resource_spec=ResourceSpec(require_gpu=True)),
        code=Code.FAILED_PRECONDITION,
        reason="NO_GPU_HOST",
    ),
    Row(
        id="B13",
        what="a local GPU that no host has",
        send=with_job(resource_spec=ResourceSpec(require_gpu=True), execution_mode=ExecutionMode.EXECUTION_MODE_LOCAL),
        code=Code.FAILED_PRECONDITION,
        reason="NO_GPU_HOST",
    ),
    *map(
        model_id,
        [
            "../../etc/x",
            "/abs",
            "a/b",
            "a\\b",
            "..",
            ".",
            "CON",
            "a\0b",
            "%2e%2e",
            "a\u2215b",
            "a" * 300,
            "a.",
            "a ",
            "\u202eabc",
        ],
    ),
    data_path("../secret.csv"),
    data_path("a/../../secret.csv"),
    data_path("/etc/passwd"),
    data_path("link.csv"),
    data_path("folder/link/iris.csv"),
    data_path("/proc/self/environ"),
    data_path("/dev/zero"),
    data_path("fifo.csv"),
    data_path("socket.csv"),
    data_path("folder"),
    data_path("hard.csv"),
    data_path("missing.csv"),
    data_path("a\\b.csv"),
    data_path("nul\0.csv"),
    data_path("~/x.csv"),
    data_path("a/" * 200 + "b.csv"),
    data_path(BIG),
    data_path("unreadable\n.csv", row_id="C20"),
    data_path("http://169.254.169.254/latest", "SCHEME", "B17"),
    data_path("file:///etc/passwd", "SCHEME", "B17"),
    data_path("s3://bucket/key.csv", "SCHEME", "B17"),
    columns("unknown exclude column", exclude_columns=["nowhere"]),
    columns("exclude column twice", exclude_columns=["sepal", "sepal"]),
    columns("all columns excluded", exclude_columns=["sepal", "petal"]),
    columns("the target excluded", exclude_columns=["species"]),
    columns("unknown date column", date_columns=["nowhere"]),
    columns("the target as a date", date_columns=["species"]),
    columns("10,001 columns", exclude_columns=[f"c{index}" for index in range(10_001)]),
    columns("unknown target", target_column="nowhere"),
    columns("target of 10 KB", target_column=BIG),
    read_only("state", state=JOB_STATE_SUCCEEDED),
    read_only("attempt", attempt=5),
    read_only("host", host="hosts/mine"),
    read_only("etag", etag='"1"'),
    common("priority -2^31", "priority", priority=-(2**31)),
    common("priority 101", "priority", priority=101),
    common("retry_max -1", "policies.retry_max", policies=Policies(retry_max=-1)),
    common("gpu_count 10^9", "resource_spec.gpu_count", resource_spec=ResourceSpec(gpu_count=10**9)),
    common("memory -1", "resource_spec.memory_mib", resource_spec=ResourceSpec(memory_mib=-1)),
    common("33 tags", "tags", tags=[f"t{index}" for index in range(33)]),
    common("a tag with a line break", "tags", tags=["a\nb"]),
    common("display_name of 10 KB", "display_name", display_name=BIG),
    common("display_name right to left", "display_name", display_name="\u202eevil"),
    common("user_id with a line break", "user_id", user_id="a\nb"),
    common(
        "a NaN score", "eval_policy.min_scores['accuracy']", eval_policy=EvalPolicy(min_scores={"accuracy": math.nan})
    ),
    Row(
        id="B26",
        what="invalid UTF-8 in a string",
        send=raw(b"\x0a\x04\xff\xfe\xfd\xfc"),
        reason="MALFORMED",
    ),
    Row(
        id="B26",
        what="a lone surrogate in a string",
        send=raw(b"\x0a\x03\xed\xa0\x80"),
        reason="MALFORMED",
    ),
)


@pytest.fixture(scope="module", autouse=True)
def hostile_files(gateway: Gateway) -> None:
    """What a careless or hostile person may put below the data root."""
    data = gateway.home / "data"
    outside = gateway.home / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("a,b\n1,2\n3,4\n")
    (outside / "iris.csv").write_text("a,b\n1,2\n3,4\n")
    (data / "folder").mkdir()
    (data / "folder" / "link").symlink_to(outside)
    (data / "link.csv").symlink_to(outside / "secret.csv")
    os.link(outside / "secret.csv", data / "hard.csv")
    os.mkfifo(data / "fifo.csv")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(data)  # a socket's path is short
        server.bind("socket.csv")
        os.chdir(here)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_hostile_submission_gets_the_right_answer_p32(row: Row[Gateway], gateway: Gateway) -> None:
    await judge(row, gateway, good=lambda: answer(gateway.jobs.CreateJob(a_request(validate_only=True))))


async def test_no_refused_submission_left_a_job(gateway: Gateway) -> None:
    assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 0


async def test_an_absent_number_means_its_default_b5(gateway: Gateway) -> None:
    job = await answer(gateway.jobs.CreateJob(a_request(validate_only=True)))
    assert job.admission.total_steps == 500


async def test_the_smallest_learning_rate_is_a_number_like_any_other_b7(gateway: Gateway) -> None:
    await answer(gateway.jobs.CreateJob(a_request(a_spec(learning_rate=1e-320), validate_only=True)))


async def test_fields_that_no_proto_has_are_ignored_b18(gateway: Gateway) -> None:
    # Field 999 of the request, as a later client or an attacker's callback_url may have it.
    content = a_request(validate_only=True).SerializeToString() + b"\xba\x3e\x10http://evil.test"
    told = await send_bytes(gateway.channel, "/headway.v1.JobService/CreateJob", content)
    assert b"evil" not in told
