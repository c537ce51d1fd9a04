"""All records of one store, in memory: what is brought back, or taken away as a backup."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from gateway.execution_config import KEY as EXECUTION_KEY
from gateway.recovery.named_blobs import NamedBlob, blobs_of_dataset, blobs_of_job, blobs_of_model
from headway.contract.errors import HeadwayError
from headway.v1.records_pb2 import DatasetRecord, JobRecord, KeyRecord, ModelRecord
from headway.v1.system_service_pb2 import ExecutionConfig

M = TypeVar("M", bound=Message)
Raw = tuple[str, int, bytes]
"""Key, revision and bytes of a record."""


@dataclass(slots=True)
class RecordCopy:
    """Records by key.

    Attributes:
        jobs: with the revision of each.
        models: both sorts: lists of versions, and versions in full.
        datasets: every one.
        keys: every one.
        settings: the execution mode, where somebody chose one.
        unreadable: names of records that are left out, because their bytes are no record.
    """

    jobs: dict[str, tuple[int, JobRecord]] = field(default_factory=dict)
    models: dict[str, ModelRecord] = field(default_factory=dict)
    datasets: dict[str, DatasetRecord] = field(default_factory=dict)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    settings: dict[str, ExecutionConfig] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def num_records(self) -> int:
        """Records of every bucket."""
        return len(self.jobs) + len(self.models) + len(self.datasets) + len(self.keys) + len(self.settings)

    def blobs(self) -> Iterator[NamedBlob]:
        """Every blob that a record names, each once."""
        named: dict[tuple[str, str], NamedBlob] = {}
        for blob in self._named():
            named.setdefault((blob.project, blob.digest), blob)
        yield from named.values()

    def _named(self) -> Iterator[NamedBlob]:
        for _, job in self.jobs.values():
            yield from blobs_of_job(job)
        for dataset in self.datasets.values():
            yield from blobs_of_dataset(dataset)
        for model in self.models.values():
            yield from blobs_of_model(model)


def read_copy(raw: Mapping[str, list[Raw]]) -> RecordCopy:
    """The records of all buckets, from their bytes by the bucket's name."""
    copy = RecordCopy()
    for key, revision, data in raw.get("jobs", ()):
        job = _parsed(JobRecord, data, f"jobs/{key}", copy.unreadable)
        if job is not None and _is_named(job, key):
            copy.jobs[key] = (revision, job)
        elif job is not None:
            copy.unreadable.append(f"jobs/{key}")
    copy.models = _all(ModelRecord, "models", raw, copy.unreadable)
    copy.datasets = _all(DatasetRecord, "datasets", raw, copy.unreadable)
    copy.keys = _all(KeyRecord, "keys", raw, copy.unreadable)
    settings = [one for one in raw.get("settings", ()) if one[0] == EXECUTION_KEY]
    copy.settings = _all(ExecutionConfig, "settings", {"settings": settings}, copy.unreadable)
    return copy


def _is_named(job: JobRecord, key: str) -> bool:
    try:
        list(blobs_of_job(job))
    except HeadwayError:
        return False
    return job.job.name.endswith(f"/{key}")


def _all(message_type: type[M], bucket: str, raw: Mapping[str, list[Raw]], unreadable: list[str]) -> dict[str, M]:
    parsed = {key: _parsed(message_type, data, f"{bucket}/{key}", unreadable) for key, _, data in raw.get(bucket, ())}
    return {key: record for key, record in parsed.items() if record is not None}


def _parsed(message_type: type[M], data: bytes, name: str, unreadable: list[str]) -> M | None:
    try:
        return message_type.FromString(data)
    except DecodeError:
        unreadable.append(name)
        return None
