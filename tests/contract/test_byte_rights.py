"""P29: blobs, datasets, results and models are told only to keys of their project."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from pathlib import Path

import grpc
import pytest

from headway.contract.digests import sha256_of
from headway.runtime.nats_bus import NatsBus
from headway.runtime.principal import Principal
from headway.testing.builders import a_claimed_record, a_record
from headway.v1.blobs_service_pb2 import (
    DownloadBlobRequest,
    FindMissingBlobsRequest,
    QueryUploadRequest,
)
from headway.v1.datasets_service_pb2 import (
    CreateDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
    PreviewDatasetRequest,
)
from headway.v1.jobs_pb2 import Artifact, Bundle
from headway.v1.models_service_pb2 import (
    DownloadModelVersionRequest,
    GetModelRequest,
    GetModelVersionRequest,
    ListModelsRequest,
    PredictRequest,
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


async def test_a_key_of_another_project_gets_nowhere_on_any_method(gateway: BytesGateway) -> None:
    """P29. Whether there is something makes no difference to the answer."""
    record = await keep(gateway, a_saving_record())
    await commit(gateway, record)
    await gateway.dataset.CreateDataset(await _a_new_dataset(gateway))
    gateway.keys.principals["stranger"] = Principal(
        key_id="k2", user_id="eve", scopes=frozenset({"admin"}), projects=frozenset({"other"})
    )
    digest = sha256_of(b"a,b\n1,2\n3,4\n")
    bundle = Bundle(digest=digest, artifacts=[Artifact(path="manifest.json", digest=digest, size_bytes=1)])
    model, version = f"{PARENT}/models/iris", f"{PARENT}/models/iris/versions/1"
    key = (("x-api-key", "stranger"),)
    new = CreateDatasetRequest(parent=PARENT, digest=digest, file_name="x.csv")
    calls: list[Awaitable[object]] = [
        gateway.blob.FindMissingBlobs(FindMissingBlobsRequest(parent=PARENT, digests=[digest]), metadata=key),
        gateway.blob.QueryUpload(QueryUploadRequest(parent=PARENT, digest=digest), metadata=key),
        _whole(gateway.blob.DownloadBlob(DownloadBlobRequest(parent=PARENT, digest=digest), metadata=key)),
        gateway.blob.UploadBlob(upload_messages(b"x"), metadata=key),
        gateway.dataset.CreateDataset(new, metadata=key),
        gateway.dataset.GetDataset(GetDatasetRequest(name=f"{PARENT}/datasets/pairs"), metadata=key),
        gateway.dataset.ListDatasets(ListDatasetsRequest(parent=PARENT), metadata=key),
        gateway.dataset.PreviewDataset(PreviewDatasetRequest(name=f"{PARENT}/datasets/pairs"), metadata=key),
        gateway.model.GetModel(GetModelRequest(name=model), metadata=key),
        gateway.model.GetModelVersion(GetModelVersionRequest(name=version), metadata=key),
        gateway.model.ListModels(ListModelsRequest(parent=PARENT), metadata=key),
        _whole(gateway.model.DownloadModelVersion(DownloadModelVersionRequest(name=version), metadata=key)),
        gateway.model.Predict(PredictRequest(name=version, csv="a\n1\n"), metadata=key),
        gateway.model.Predict(PredictRequest(name=record.job.name, csv="a\n1\n"), metadata=key),
        gateway.result.CommitResult(commit_request(record, bundle), metadata=key),
        gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, 1), metadata=key),
        gateway.result.ReportTelemetry(iter([_a_report(record)]), metadata=key),
    ]
    answers = {await refusal(call) for call in calls}
    assert {code for code, _ in answers} == {grpc.StatusCode.PERMISSION_DENIED}
    assert len(answers) == 1


async def _whole(stream: AsyncIterable[object]) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


async def _a_new_dataset(gateway: BytesGateway) -> CreateDatasetRequest:
    table = b"a,b\n1,2\n3,4\n"
    await upload(gateway, table)
    return CreateDatasetRequest(parent=PARENT, digest=sha256_of(table), file_name="pairs.csv")


def _a_report(record: JobRecord) -> ReportTelemetryRequest:
    return ReportTelemetryRequest(job=record.job.name, attempt=record.job.attempt, host=record.job.host)
