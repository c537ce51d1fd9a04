"""Rows D1-D8, D53 and D54 of the abuse corpus (F40): writes without a right, impossible checkpoints and numbers."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from isal import isal_zlib
from safetensors.numpy import save

from gateway.blobs.settings import BlobSettings
from headway.contract.digests import sha256_of
from headway.contract.errors import Code
from headway.contract.transitions import commit_result, request_cancel
from headway.runtime.principal import Principal
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import Bundle, JobResult, Progress, ResultSummary
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultRequest, ReportTelemetryRequest
from tests.byte_rows import next_attempt, refused, still_accepts
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.result_bundles import (
    A_SUMMARY,
    checkpoint_request,
    commit_request,
    keep,
    result_files,
    tensors_of,
    upload_all,
    with_manifest,
)

IA, NF, PD, FP = Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.FAILED_PRECONDITION
CONTENT = bytes(range(256)) * 64
DIGEST = sha256_of(CONTENT)
GOOD_GZIP = isal_zlib.compress(CONTENT, 1, wbits=31)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[BytesGateway]:
    settings = BlobSettings(max_blob_bytes=64 * 1024 * 1024, idle_seconds=0.5)
    async with bytes_gateway(tmp_path, settings=settings) as gateway:
        yield gateway


Change = Callable[[JobRecord], JobRecord]


def _queued(_: JobRecord) -> JobRecord:
    return a_record()


def _cancelled(record: JobRecord) -> JobRecord:
    return request_cancel(record, message="", now=A_MOMENT) or record


def _saved(record: JobRecord) -> JobRecord:
    result = JobResult(bundle=Bundle(digest=DIGEST), summary=A_SUMMARY, attempt=1)
    return commit_result(record, host=record.job.host, result=result, now=A_MOMENT)


@pytest.mark.parametrize(
    ("row", "change", "attempt", "code", "reason"),
    [
        ("D3", lambda record: record, 0, IA, "OUT_OF_RANGE"),
        ("D3", next_attempt, 1, FP, "STALE_ATTEMPT"),
        ("D4", lambda record: record, 2, FP, "STALE_ATTEMPT"),
        ("D5", _queued, 1, FP, "STALE_ATTEMPT"),
        ("D6", _cancelled, 1, FP, "CANCELLED"),
        ("D8", _saved, 1, FP, "ALREADY_SAVED"),
    ],
)
async def test_a_write_without_the_right_changes_nothing(
    gateway: BytesGateway, row: str, change: Change, attempt: int, code: Code, reason: str
) -> None:
    claimed = a_claimed_record()
    record = change(claimed)
    await keep(gateway, record)
    bundle = await upload_all(gateway, with_manifest(result_files(), claimed))
    request = CommitResultRequest(
        job=record.job.name, attempt=attempt, host="hosts/anton", bundle=bundle, summary=A_SUMMARY
    )
    before = await gateway.jobs.get(record.job.name.rpartition("/")[2])
    error = await refused(gateway.result.CommitResult(request))
    assert (row, error.code, error.reason) == (row, code, reason)
    assert (await gateway.jobs.get(before.key)).revision == before.revision


async def test_d1_an_unknown_job_and_one_of_another_project_are_the_same(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record(a_record(project="other")))
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    elsewhere = commit_request(record, bundle)
    elsewhere.job = elsewhere.job.replace("projects/other", PARENT)
    unknown = commit_request(a_claimed_record(), bundle)
    errors = [await refused(gateway.result.CommitResult(request)) for request in (elsewhere, unknown)]
    assert {(error.code, error.reason, error.message) for error in errors} == {(NF, "NOT_FOUND", errors[0].message)}


async def test_d2_a_host_cannot_write_as_another(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    gateway.keys.principals["berta"] = Principal(
        key_id="k2", user_id="", scopes=frozenset({"host"}), projects=frozenset({"*"}), host_id="berta"
    )
    metadata = (("x-api-key", "berta"),)
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle), metadata=metadata))
    assert (error.code, error.reason) == (PD, "PERMISSION_DENIED")
    as_berta = commit_request(record, bundle)
    as_berta.host = "hosts/berta"
    error = await refused(gateway.result.CommitResult(as_berta, metadata=metadata))
    assert (error.code, error.reason) == (FP, "STALE_ATTEMPT")
    await still_accepts(gateway, record)


async def test_d7_the_same_result_again_is_a_duplicate(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    answers = [await gateway.result.CommitResult(commit_request(record, bundle)) for _ in range(3)]
    assert [one.disposition for one in answers] == [1, 2, 2]


@pytest.mark.parametrize(
    "summary",
    [
        ResultSummary(metrics={"loss": float("nan")}),
        ResultSummary(metrics={"loss": float("inf")}),
        ResultSummary(metrics={"x" * 65: 1.0}),
        ResultSummary(metrics={"a\nb": 1.0}),
        ResultSummary(metrics={f"m{at}": 1.0 for at in range(129)}),
        ResultSummary(warnings=["w"] * 33),
        ResultSummary(num_steps=-1),
        ResultSummary(headline_metric="x" * 65),
    ],
)
async def test_numbers_that_cannot_be_are_refused(gateway: BytesGateway, summary: ResultSummary) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle, summary)))
    assert (error.code, error.reason) == (IA, "OUT_OF_RANGE")
    assert error.violations[0].field.startswith("summary.")
    await still_accepts(gateway, record)


@pytest.mark.parametrize("step", [-1, 10**9])
async def test_d53_a_checkpoint_of_an_impossible_step_is_refused(gateway: BytesGateway, step: int) -> None:
    record = a_claimed_record()
    record.job.admission.total_steps = 100
    await keep(gateway, record)
    bundle = await upload_all(gateway, with_manifest({"state.safetensors": save(tensors_of())}, record))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, step)))
    assert (error.code, error.reason) == (IA, "OUT_OF_RANGE")
    assert (await gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, 50))).checkpoint.step == 50


async def test_d53_a_checkpoint_of_another_job_or_with_a_pickle_is_refused(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    foreign = await upload_all(gateway, with_manifest({"state.safetensors": save(tensors_of())}, a_claimed_record()))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, foreign, 1)))
    assert (error.code, error.reason) == (IA, "MANIFEST")
    pickled = await upload_all(gateway, with_manifest({"state.json": b"\x80\x04."}, record))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, pickled, 1)))
    assert (error.code, error.reason) == (IA, "FORBIDDEN_CONTENT")


def _reports(record: JobRecord, progresses: Iterator[Progress]) -> Iterator[ReportTelemetryRequest]:
    for progress in progresses:
        yield ReportTelemetryRequest(
            job=record.job.name, attempt=record.job.attempt, host=record.job.host, progress=progress
        )


async def test_d54_a_flood_of_impossible_progress_is_clamped_and_coalesced(gateway: BytesGateway) -> None:
    from headway.contract.subjects import PROGRESS

    record = await keep(gateway, a_claimed_record())
    flood = (
        Progress(step=(7 * at) % 100, total_steps=50, epoch=99, total_epochs=3, loss=float("nan")) for at in range(5000)
    )
    await gateway.result.ReportTelemetry(_reports(record, flood))

    message = None
    while message is None:
        message = await gateway.bus.last_message(PROGRESS, PROGRESS.subjects[0])
    data = json.loads(message.data)["data"]
    assert (data["epoch"], data["total_epochs"]) == (3, 3)
    assert int(data["step"]) <= 50
    # Ten a second at most, whatever the host sends.
    assert (await gateway.bus.stream_state(PROGRESS)).last_sequence < 100


@pytest.mark.parametrize(
    "lines",
    [[LogLine(number=1, attempt=1)] * 501, [LogLine(number=-1, attempt=1)]],
)
async def test_log_lines_that_cannot_be_are_refused(gateway: BytesGateway, lines: list[LogLine]) -> None:
    record = await keep(gateway, a_claimed_record())
    request = ReportTelemetryRequest(job=record.job.name, attempt=1, host=record.job.host, lines=lines)
    error = await refused(gateway.result.ReportTelemetry(iter([request])))
    assert (error.code, error.reason) == (IA, "STREAM_PROTOCOL")


async def test_secrets_in_log_lines_are_not_kept(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    line = LogLine(number=1, attempt=1, message="key hw_abcdefghijkl_secretsecret at /srv/corpus/x.txt")
    line.fields["path"] = "/srv/corpus/x.txt"
    request = ReportTelemetryRequest(job=record.job.name, attempt=1, host=record.job.host, lines=[line])
    assert (await gateway.result.ReportTelemetry(iter([request]))).num_lines == 1
    kept = b"".join(path.read_bytes() for path in (gateway.home / "gateway" / "logs").glob("*.jsonl"))
    assert b"secretsecret" not in kept
    assert b"/srv/corpus" not in kept
