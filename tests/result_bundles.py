"""Bundles as a trainer host makes them, small, with every part open to be spoiled by a test."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from safetensors.numpy import save

from headway.contract.architectures import Architecture, expected_tensors
from headway.contract.digests import sha256_of
from headway.contract.manifest import Manifest, ManifestArtifact
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    BLOB_ENCODING_IDENTITY,
    BlobEncoding,
    UploadBlobRequest,
    UploadBlobResponse,
    UploadChunk,
    UploadHeader,
)
from headway.v1.jobs_pb2 import Artifact, Bundle, ResultSummary
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitCheckpointRequest, CommitResultRequest
from tests.bytes_gateway import PARENT, BytesGateway

AN_ARCHITECTURE = Architecture(
    kind="tabular_train",
    mode="mlp_dense",
    input_dim=4,
    output_dim=3,
    hidden_dim=8,
    num_hidden_layers=2,
    task="classification",
    classes=("setosa", "versicolor", "virginica"),
)
A_SUMMARY = ResultSummary(
    task="classification",
    metrics={"train_loss": 0.1, "accuracy": 0.95},
    headline_metric="accuracy",
    headline_value=0.95,
    num_steps=30,
)
Numbers = NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64]
DTYPES = {"F32": "float32", "I64": "int64"}


def tensors_of(architecture: Architecture = AN_ARCHITECTURE, fill: float = 0.5) -> dict[str, Numbers]:
    """A state dict of the architecture."""
    return {
        name: np.full(shape, fill, dtype=DTYPES[dtype])
        for name, (dtype, shape) in expected_tensors(architecture).items()
    }


def result_files(
    architecture: Architecture = AN_ARCHITECTURE,
    *,
    fill: float = 0.5,
    weights: bytes | None = None,
    columns: Sequence[str] = (),
) -> dict[str, bytes]:
    """The files of a tabular bundle, without its manifest.

    Args:
        architecture: of the model.
        fill: every number of its weights.
        weights: the whole file of them instead.
        columns: of numbers, that the model takes; `f0`, `f1` and so on where not given.
    """
    return {
        "model.safetensors": save(tensors_of(architecture, fill)) if weights is None else weights,
        "model.json": architecture.model_dump_json().encode(),
        "preprocess.json": json.dumps(_preprocess(architecture, columns)).encode(),
        "metrics.json": b"{}",
        "history.csv": b"epoch,loss\n1,0.5\n",
        "logs.jsonl": b"",
    }


def _preprocess(architecture: Architecture, columns: Sequence[str]) -> dict[str, object]:
    """The columns' names, without how they are standardised."""
    names = list(columns) or [f"f{at}" for at in range(architecture.input_dim)]
    target = {"column": "species", "task": architecture.task, "classes": architecture.classes or ()}
    return {"target": target, "numeric": [{"name": name} for name in names], "feature_names": names}


def with_manifest(files: Mapping[str, bytes], record: JobRecord, *, kind: str = "") -> dict[str, bytes]:
    """The files and the manifest that lists them."""
    manifest = Manifest(
        job=record.job.name,
        kind=kind or record.job.kind,
        attempt=max(1, record.job.attempt),
        host=record.job.host,
        spec={},
        artifacts=tuple(
            ManifestArtifact(path=path, digest=sha256_of(content), size_bytes=len(content))
            for path, content in files.items()
        ),
    )
    return {**files, "manifest.json": manifest.model_dump_json().encode()}


def bundle_of(files: Mapping[str, bytes]) -> Bundle:
    """The list of the files; its digest is the manifest's."""
    artifacts = [
        Artifact(path=path, digest=sha256_of(content), size_bytes=len(content)) for path, content in files.items()
    ]
    return Bundle(digest=sha256_of(files["manifest.json"]), artifacts=artifacts)


def upload_messages(
    content: bytes,
    *,
    encoding: "BlobEncoding.ValueType" = BLOB_ENCODING_GZIP,
    digest: str = "",
    size_bytes: int | None = None,
    offset_bytes: int = 0,
    chunk_bytes: int = 256 * 1024,
    stream: bytes | None = None,
) -> Iterator[UploadBlobRequest]:
    """The messages of one upload call; each part can be replaced by a wrong one."""
    header = UploadHeader(
        parent=PARENT,
        digest=digest or sha256_of(content),
        size_bytes=len(content) if size_bytes is None else size_bytes,
        encoding=encoding,
        offset_bytes=offset_bytes,
    )
    yield UploadBlobRequest(header=header)
    if stream is None:
        rest = content[offset_bytes:]
        stream = isal_zlib.compress(rest, 1, wbits=31) if encoding == BLOB_ENCODING_GZIP else rest
    for start in range(0, len(stream), chunk_bytes):
        chunk = UploadChunk(offset_bytes=start, data=stream[start : start + chunk_bytes])
        yield UploadBlobRequest(chunk=chunk)


async def as_async(messages: Iterator[UploadBlobRequest]) -> AsyncIterator[UploadBlobRequest]:
    """The same for a caller that awaits."""
    for message in messages:
        yield message


async def upload(gateway: BytesGateway, content: bytes) -> UploadBlobResponse:
    """Send one blob."""
    messages = upload_messages(content, encoding=BLOB_ENCODING_IDENTITY)
    response: UploadBlobResponse = await gateway.blob.UploadBlob(messages)
    return response


async def upload_all(gateway: BytesGateway, files: Mapping[str, bytes]) -> Bundle:
    """Send every file of a bundle."""
    for content in files.values():
        await upload(gateway, content)
    return bundle_of(files)


async def keep(gateway: BytesGateway, record: JobRecord) -> JobRecord:
    """Put a job into the bucket."""
    await gateway.jobs.put(record.job.name.rpartition("/")[2], record)
    return record


def commit_request(record: JobRecord, bundle: Bundle, summary: ResultSummary = A_SUMMARY) -> CommitResultRequest:
    """What the host of the record's attempt sends."""
    return CommitResultRequest(
        job=record.job.name, attempt=record.job.attempt, host=record.job.host, bundle=bundle, summary=summary
    )


def checkpoint_request(record: JobRecord, bundle: Bundle, step: int) -> CommitCheckpointRequest:
    """What the host of the record's attempt sends."""
    return CommitCheckpointRequest(
        job=record.job.name, attempt=record.job.attempt, host=record.job.host, bundle=bundle, step=step
    )
