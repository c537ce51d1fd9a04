"""Runs that have a result, without a training: committed over gRPC as a host would, or written into the store."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from headway.contract.architectures import Architecture
from headway.contract.transitions import commit_result
from headway.runtime.remote_error import answer
from headway.testing.builders import a_claimed_record, a_record
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_IDENTITY
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import Job, JobResult
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.jobs_gateway import Gateway, a_spec, claimed, create, get
from tests.result_bundles import bundle_of, commit_request, result_files, upload_messages, with_manifest

COLUMNS = ("sepal", "petal")
"""The features of the table that `tests.jobs_gateway` has."""


def architecture_of(columns: Sequence[str] = COLUMNS) -> Architecture:
    """A model of these columns that tells the three classes of that table apart."""
    return Architecture(
        kind="tabular_train",
        mode="mlp_dense",
        input_dim=len(columns),
        output_dim=3,
        hidden_dim=32,
        num_hidden_layers=2,
        task="classification",
        classes=("a", "b", "c"),
    )


async def trained(
    gateway: Gateway, spec: JobSpec | None = None, *, columns: Sequence[str] = COLUMNS, fill: float = 0.5
) -> Job:
    """A job that a host has finished.

    Args:
        gateway: what it was submitted to.
        spec: of the job.
        columns: that its model takes.
        fill: every number of its weights.
    """
    job = await create(gateway, spec or a_spec())
    record = await gateway.change(job.name, claimed)
    files = with_manifest(result_files(architecture_of(columns), fill=fill, columns=columns), record)
    blobs = BlobServiceStub(gateway.channel)
    for content in files.values():
        await answer(blobs.UploadBlob(upload_messages(content, encoding=BLOB_ENCODING_IDENTITY)))
    await answer(ResultServiceStub(gateway.channel).CommitResult(commit_request(record, bundle_of(files))))
    return await get(gateway, job)


async def stored_run(gateway: Gateway, when: datetime) -> str:
    """Write a run into the store whose result was stored at this time; returns its id."""
    record = a_claimed_record(a_record(now=when), now=when)
    done = commit_result(record, host=record.job.host, result=JobResult(attempt=1), now=when)
    job_id = done.job.name.rpartition("/")[2]
    await gateway.records.create(job_id, done)
    return job_id


def put_bundle(folder: Path, *, columns: Sequence[str] = COLUMNS, record: JobRecord | None = None) -> None:
    """Write a bundle into a folder, as it is when a model was pulled."""
    folder.mkdir(parents=True)
    files = result_files(architecture_of(columns), columns=columns)
    for name, content in with_manifest(files, record or a_claimed_record(a_record())).items():
        (folder / name).write_bytes(content)
