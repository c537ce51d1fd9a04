"""Blobs, results, models and datasets over gRPC, on a real nats-server: what hosts and callers rely on."""

import asyncio
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc
import pytest

from headway.contract.digests import sha256_of
from headway.contract.events import job_event
from headway.contract.subjects import EVENTS, model_event_subject
from headway.runtime.nats_bus import NatsBus
from headway.testing.builders import a_claimed_record, a_record
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import (
    DownloadBlobRequest,
    FindMissingBlobsRequest,
    QueryUploadRequest,
    UploadBlobRequest,
    UploadBlobResponse,
)
from headway.v1.datasets_service_pb2 import (
    CreateDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
)
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Progress
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.models_service_pb2 import (
    DownloadModelVersionRequest,
    GetModelRequest,
    GetModelVersionRequest,
    ListModelsRequest,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultResponse, ReportTelemetryRequest
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.result_bundles import (
    checkpoint_request,
    commit_request,
    keep,
    result_files,
    upload,
    upload_all,
    upload_messages,
    with_manifest,
)

ACCEPTED = CommitResultResponse.DISPOSITION_ACCEPTED
DUPLICATE = CommitResultResponse.DISPOSITION_DUPLICATE


@pytest.fixture
async def gateway(tmp_path: Path, nats_bus: NatsBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        yield gateway


def a_saving_record() -> JobRecord:
    """A running job whose model is saved as `iris`."""
    record = a_record()
    record.model_id = "iris"
    return a_claimed_record(record)


async def commit(gateway: BytesGateway, record: JobRecord, fill: float = 0.5) -> CommitResultResponse:
    bundle = await upload_all(gateway, with_manifest(result_files(fill=fill), record))
    response: CommitResultResponse = await gateway.result.CommitResult(commit_request(record, bundle))
    return response


async def refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Code and text of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def test_a_result_becomes_a_model_that_can_be_taken_away(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    answer = await commit(gateway, record)

    job_id = record.job.name.rpartition("/")[2]
    assert answer.disposition == ACCEPTED
    assert answer.model_version == f"{PARENT}/models/iris/versions/{job_id}"
    assert (await gateway.jobs.get(job_id)).value.job.state == JOB_STATE_SUCCEEDED

    # By number and by `latest` it is the same version.
    for version in ("1", "latest", job_id):
        name = f"{PARENT}/models/iris/versions/{version}"
        found = await gateway.model.GetModelVersion(GetModelVersionRequest(name=name))
        assert (found.name, found.number) == (answer.model_version, 1)
        assert len(found.bundle.artifacts) == 7
    model = await gateway.model.GetModel(GetModelRequest(name=f"{PARENT}/models/iris"))
    assert [version.number for version in model.versions] == [1]
    listed = await gateway.model.ListModels(ListModelsRequest(parent=PARENT, filter='model_id = "i*"'))
    assert [model.name for model in listed.models] == [f"{PARENT}/models/iris"]

    # The tar file holds exactly what the host sent.
    request = DownloadModelVersionRequest(name=f"{PARENT}/models/iris/versions/latest")
    content = b"".join([piece.data async for piece in gateway.model.DownloadModelVersion(request)])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {entry.name: _content(tar, entry) for entry in tar.getmembers()}
    assert files == with_manifest(result_files(), record)


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    assert file is not None
    return file.read()


async def test_a_result_is_saved_once_however_often_it_is_sent(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    answers = await asyncio.gather(*(gateway.result.CommitResult(commit_request(record, bundle)) for _ in range(32)))
    dispositions = [answer.disposition for answer in answers]
    assert dispositions.count(ACCEPTED) == 1
    assert dispositions.count(DUPLICATE) == 31
    model = await gateway.model.GetModel(GetModelRequest(name=f"{PARENT}/models/iris"))
    assert len(model.versions) == 1


async def test_a_registration_is_told_once(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    await commit(gateway, record)
    subject = model_event_subject("registered", "demo", "iris")

    async def is_told() -> bool:
        return await gateway.bus.last_message(EVENTS, subject) is not None

    await eventually(is_told)
    stored = await gateway.jobs.get(record.job.name.rpartition("/")[2])
    for _ in range(3):
        await gateway.registrar.register(stored.value)
    assert (await gateway.bus.stream_state(EVENTS)).num_messages == 1
    message = await gateway.bus.last_message(EVENTS, subject)
    assert message is not None
    assert json.loads(message.data)["data"]["number"] == 1


async def test_a_version_that_a_crash_left_out_is_made_up_for(
    gateway: BytesGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's record said SUCCEEDED, and then the gateway was killed: the registrar finds it."""
    record = await keep(gateway, a_saving_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    monkeypatch.setattr(gateway.registrar, "register", _die)
    gateway.background["registrar"].cancel()
    assert (await refusal(gateway.result.CommitResult(commit_request(record, bundle))))[0] is grpc.StatusCode.INTERNAL
    found = await refusal(gateway.model.GetModel(GetModelRequest(name=f"{PARENT}/models/iris")))
    assert found[0] is grpc.StatusCode.NOT_FOUND

    # The host's retry makes up for it, and hears DUPLICATE.
    monkeypatch.undo()
    answer = await gateway.result.CommitResult(commit_request(record, bundle))
    assert answer.disposition == DUPLICATE
    model = await gateway.model.GetModel(GetModelRequest(name=f"{PARENT}/models/iris"))
    assert len(model.versions) == 1


async def _die(record: JobRecord) -> None:
    raise RuntimeError(record.job.name)


async def tell_completed(gateway: BytesGateway, record: JobRecord) -> None:
    """As the scheduler does for a job that has succeeded."""
    job = (await gateway.jobs.get(record.job.name.rpartition("/")[2])).value.job
    event = job_event(job, job.transitions[-1])
    assert event is not None
    await gateway.bus.publish(event.subject, event.body, message_id=event.message_id, headers=event.headers)


async def test_the_registrar_finds_a_succeeded_job_without_its_version(
    tmp_path: Path, nats_bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        record = await keep(gateway, a_saving_record())
        gateway.background["registrar"].cancel()
        monkeypatch.setattr(gateway.registrar, "register", _die)
        bundle = await upload_all(gateway, with_manifest(result_files(), record))
        await refusal(gateway.result.CommitResult(commit_request(record, bundle)))
        await tell_completed(gateway, record)
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:

        async def is_there() -> bool:
            listed = await gateway.model.ListModels(ListModelsRequest(parent=PARENT))
            return len(listed.models) == 1

        await eventually(is_there)


async def test_versions_are_numbered_in_order_and_never_twice(gateway: BytesGateway) -> None:
    records = [await keep(gateway, a_saving_record()) for _ in range(8)]
    await asyncio.gather(*(commit(gateway, record, fill=at / 8) for at, record in enumerate(records)))
    model = await gateway.model.GetModel(GetModelRequest(name=f"{PARENT}/models/iris"))
    assert [version.number for version in model.versions] == list(range(1, 9))
    assert {version.job for version in model.versions} == {record.job.name for record in records}


async def test_a_checkpoint_is_kept_and_never_goes_back(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    early = await upload_all(gateway, with_manifest({"state.safetensors": result_files()["model.safetensors"]}, record))
    late_files = {"state.safetensors": result_files(fill=1.5)["model.safetensors"]}
    late = await upload_all(gateway, with_manifest(late_files, record))
    answer = await gateway.result.CommitCheckpoint(checkpoint_request(record, late, 20))
    assert answer.checkpoint.step == 20
    repeated = await gateway.result.CommitCheckpoint(checkpoint_request(record, late, 20))
    assert repeated.checkpoint == answer.checkpoint
    code, _ = await refusal(gateway.result.CommitCheckpoint(checkpoint_request(record, early, 10)))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_upload_goes_on_where_it_broke_off_even_after_a_restart(tmp_path: Path, nats_bus: NatsBus) -> None:
    content = os.urandom(3_000_000)
    query = QueryUploadRequest(parent=PARENT, digest=sha256_of(content))
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        call = gateway.blob.UploadBlob(_stalling(content, 2_000_000))

        async def has_come() -> bool:
            return (await gateway.blob.QueryUpload(query)).committed_size_bytes > 1_000_000

        await eventually(has_come)
        call.cancel()
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        kept = await gateway.blob.QueryUpload(query)
        assert not kept.complete
        assert kept.committed_size_bytes > 1_000_000

        # A wrong place is refused, and the right one told.
        wrong = upload_messages(content, offset_bytes=kept.committed_size_bytes - 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.blob.UploadBlob(wrong)
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        assert str(kept.committed_size_bytes) in (caught.value.details() or "")

        rest = upload_messages(content, offset_bytes=kept.committed_size_bytes)
        assert (await gateway.blob.UploadBlob(rest)).size_bytes == len(content)
        assert (await gateway.blob.QueryUpload(query)).complete
        request = DownloadBlobRequest(parent=PARENT, digest=sha256_of(content))
        assert b"".join([piece.data async for piece in gateway.blob.DownloadBlob(request)]) == content


async def _stalling(content: bytes, num_bytes: int) -> AsyncIterator[UploadBlobRequest]:
    """A call that sends the beginning and then nothing."""
    sent = 0
    for message in upload_messages(content):
        if sent > num_bytes:
            await asyncio.Event().wait()
        sent += len(message.chunk.data)
        yield message


async def test_a_new_call_takes_over_from_one_that_hangs(gateway: BytesGateway) -> None:
    """The host reconnected after a broken link that this side has not noticed."""
    content = os.urandom(3_000_000)
    query = QueryUploadRequest(parent=PARENT, digest=sha256_of(content))
    hanging = gateway.blob.UploadBlob(_stalling(content, 2_000_000))

    async def has_come() -> bool:
        return (await gateway.blob.QueryUpload(query)).committed_size_bytes > 1_000_000

    await eventually(has_come)
    assert (await _go_on(gateway, content, query)).size_bytes == len(content)
    assert (await refusal(hanging))[0] is grpc.StatusCode.ABORTED


async def _go_on(gateway: BytesGateway, content: bytes, query: QueryUploadRequest) -> UploadBlobResponse:
    """What a host does: ask where to go on, and ask again when more had come than was told."""
    for _ in range(5):
        kept = (await gateway.blob.QueryUpload(query)).committed_size_bytes
        try:
            return await gateway.blob.UploadBlob(upload_messages(content, offset_bytes=kept))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                raise
    raise AssertionError("the place to go on from moves for ever")


async def test_one_blob_may_be_sent_by_many_at_once(gateway: BytesGateway) -> None:
    content = os.urandom(700_000)
    answers = await asyncio.gather(*(gateway.blob.UploadBlob(upload_messages(content)) for _ in range(24)))
    assert {answer.digest for answer in answers} == {sha256_of(content)}
    assert list((gateway.home / "gateway" / "blobs").rglob("*.part")) == []


async def test_only_what_is_missing_need_be_sent(gateway: BytesGateway) -> None:
    there, missing = os.urandom(10), os.urandom(10)
    await upload(gateway, there)
    digests = [sha256_of(there), sha256_of(missing)]
    answer = await gateway.blob.FindMissingBlobs(FindMissingBlobsRequest(parent=PARENT, digests=digests))
    assert list(answer.missing_digests) == [sha256_of(missing)]
    assert (await gateway.blob.UploadBlob(upload_messages(there))).existed


async def test_bytes_that_have_gone_bad_are_not_served_and_can_be_sent_again(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    await commit(gateway, record)
    weights = result_files()["model.safetensors"]
    path = gateway.blobs.path("demo", sha256_of(weights))
    path.chmod(0o600)
    path.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))

    received = bytearray()

    async def download() -> None:
        request = DownloadModelVersionRequest(name=f"{PARENT}/models/iris/versions/1")
        async for piece in gateway.model.DownloadModelVersion(request):
            received.extend(piece.data)

    assert (await refusal(download()))[0] is grpc.StatusCode.DATA_LOSS
    assert weights[-100:-1] not in received

    # It is not served by any other way either, and whoever still has it can mend it.
    name = GetModelVersionRequest(name=f"{PARENT}/models/iris/versions/1")
    assert (await refusal(gateway.model.GetModelVersion(name)))[0] is grpc.StatusCode.DATA_LOSS
    assert not (await upload(gateway, weights)).existed
    assert (await gateway.model.GetModelVersion(name)).number == 1


async def test_a_dataset_is_the_same_version_for_the_same_bytes(gateway: BytesGateway) -> None:
    table = b"a,b\n1,2\n3,4\n"
    await upload(gateway, table)
    request = CreateDatasetRequest(parent=PARENT, digest=sha256_of(table), file_name="pairs.csv")
    first, again = await asyncio.gather(*(gateway.dataset.CreateDataset(request) for _ in range(2)))
    assert first == again
    assert (first.name, first.version, list(first.columns), first.num_rows) == (
        f"{PARENT}/datasets/pairs",
        1,
        ["a", "b"],
        2,
    )

    other = table + b"5,6\n"
    await upload(gateway, other)
    request = CreateDatasetRequest(parent=PARENT, dataset_id="pairs", digest=sha256_of(other), file_name="pairs.csv")
    assert (await gateway.dataset.CreateDataset(request)).version == 2
    old = await gateway.dataset.GetDataset(GetDatasetRequest(name=first.name, version=1))
    assert old == first
    listed = await gateway.dataset.ListDatasets(ListDatasetsRequest(parent=PARENT, filter="size_bytes > 1"))
    assert [dataset.version for dataset in listed.datasets] == [2]


async def test_telemetry_keeps_lines_once_and_publishes_the_newest_progress(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    lines = [LogLine(number=number, attempt=1, message=f"line {number}") for number in (1, 2)]
    message = ReportTelemetryRequest(
        job=record.job.name,
        attempt=1,
        host=record.job.host,
        progress=Progress(step=5, total_steps=10, loss=float("inf")),
        lines=lines,
    )
    assert (await gateway.result.ReportTelemetry(iter([message, message]))).num_lines == 2
    stale = ReportTelemetryRequest(job=record.job.name, attempt=2, host=record.job.host, lines=lines)
    code, _ = await refusal(gateway.result.ReportTelemetry(iter([stale])))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
