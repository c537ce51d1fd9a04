"""Which blobs a record names. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from headway.contract.errors import InvalidName
from headway.contract.ids import DatasetName, JobName, ModelVersionName
from headway.contract.kinds import INTERNAL_KINDS
from headway.v1.jobs_pb2 import Bundle
from headway.v1.records_pb2 import DatasetRecord, JobRecord, ModelRecord


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """A blob that a record names.

    Attributes:
        project: whose blob it is.
        digest: of its content.
        size_bytes: of its content.
    """

    project: str
    digest: str
    size_bytes: int


def blobs_of_job(record: JobRecord) -> Iterator[NamedBlob]:
    """The data that a job reads, the checkpoints that it can go on from, and its result.

    None of a job that is nobody's: its bytes are deleted within the hour, also while a backup is made.
    """
    if record.job.kind in INTERNAL_KINDS:
        return
    job, project = record.job, JobName.parse(record.job.name).project
    for pinned in record.inputs:
        yield NamedBlob(_project_of(pinned.dataset, project), pinned.digest, pinned.size_bytes)
    for bundle in (job.checkpoint.bundle, record.previous_checkpoint.bundle, job.result.bundle):
        yield from _blobs_of_bundle(project, bundle)


def blobs_of_dataset(record: DatasetRecord) -> Iterator[NamedBlob]:
    """The file of each version."""
    for version in record.versions:
        yield NamedBlob(DatasetName.parse(version.name).project, version.digest, version.size_bytes)


def blobs_of_model(record: ModelRecord) -> Iterator[NamedBlob]:
    """The files of each version that is told in full."""
    for version in record.model.versions:
        yield from _blobs_of_bundle(ModelVersionName.parse(version.name).project, version.bundle)


def _blobs_of_bundle(project: str, bundle: Bundle) -> Iterator[NamedBlob]:
    for artifact in bundle.artifacts:
        yield NamedBlob(project, artifact.digest, artifact.size_bytes)


def _project_of(dataset: str, otherwise: str) -> str:
    """A job may read a dataset of another project."""
    try:
        return DatasetName.parse(dataset).project
    except InvalidName:
        return otherwise
