"""How models grow: pure functions from a job's result to a version, and from one model record to the next.

A model has two sorts of record. `project/model` lists its versions, each in short, and gives them their numbers.
`project/model/job` holds one version in full. It is written first: what the list names can always be read in full.
"""

from datetime import datetime

from headway.contract.ids import JobName, ModelName, ModelVersionName, record_key
from headway.contract.times import timestamp
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Bundle, ResultSummary
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord, ModelRecord

VERSIONS_LISTED_MAX = 500
"""The record has a bounded size; older versions are still read by their id."""


def makes_version(record: JobRecord) -> bool:
    """Whether the job's result belongs among the models."""
    return record.job.state == JOB_STATE_SUCCEEDED and bool(record.job.result.model_version)


def version_of(record: JobRecord) -> ModelVersion:
    """The model version that a succeeded job made, in full, without its number."""
    job = record.job
    return ModelVersion(
        name=job.result.model_version,
        bundle=job.result.bundle,
        job=job.name,
        kind=job.kind,
        summary=job.result.summary,
        input_digests=[pinned.digest for pinned in record.inputs],
        create_time=job.result.commit_time,
    )


def version_name(record: JobRecord) -> str:
    """The name of the version that the job's result would get; empty when it is not saved."""
    if not record.model_id:
        return ""
    name = JobName.parse(record.job.name)
    return ModelVersionName(name.project, record.model_id, name.job_id).name


def version_key(name: ModelVersionName) -> str:
    """Key of the record that holds the version in full; the name's version must be an id."""
    return f"{record_key(name.project, name.model_id)}/{name.version}"


def with_listed(record: ModelRecord, version: ModelVersion, *, now: datetime) -> ModelRecord | None:
    """List a version, with the next number.

    Args:
        record: as stored; empty for a model that does not exist yet.
        version: in full.
        now: when.

    Returns:
        None when it is listed already, or was once.
    """
    if find_listed(record, version.name) is not None or _was_listed(record, version):
        return None
    changed = ModelRecord()
    changed.CopyFrom(record)
    model, name = changed.model, ModelVersionName.parse(version.name)
    if not model.name:
        model.name = ModelName(name.project, name.model_id).name
        model.create_time.FromDatetime(now)
    short = in_short(version)
    short.number = model.versions[-1].number + 1 if model.versions else 1
    del model.versions[: max(0, len(model.versions) + 1 - VERSIONS_LISTED_MAX)]
    model.versions.append(short)
    model.update_time.CopyFrom(timestamp(now))
    return changed


def find_listed(record: ModelRecord, name: str) -> ModelVersion | None:
    """The version of this name in the list."""
    return next((version for version in record.model.versions if version.name == name), None)


def in_short(version: ModelVersion) -> ModelVersion:
    """What a list keeps of a version: no files, and of the numbers only the headline."""
    return ModelVersion(
        name=version.name,
        number=version.number,
        bundle=Bundle(digest=version.bundle.digest),
        job=version.job,
        kind=version.kind,
        summary=ResultSummary(
            task=version.summary.task,
            headline_metric=version.summary.headline_metric,
            headline_value=version.summary.headline_value,
        ),
        create_time=version.create_time,
    )


def _was_listed(record: ModelRecord, version: ModelVersion) -> bool:
    """Whether the list is full and the version older than all of it: it was listed, and made room."""
    versions = record.model.versions
    if len(versions) < VERSIONS_LISTED_MAX:
        return False
    oldest = versions[0].create_time
    return (version.create_time.seconds, version.create_time.nanos) < (oldest.seconds, oldest.nanos)
