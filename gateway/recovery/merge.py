"""Which of two revisions of a record counts: the one that was kept, or the one that the store holds. Pure.

Usually the store holds none. It does after a recovery that was broken off, when an old copy of the store was put back,
and when something was written in the moment before the loss was noticed.
"""

from headway.contract.times import moment
from headway.v1.records_pb2 import DatasetRecord, JobRecord, KeyRecord, ModelRecord
from headway.v1.system_service_pb2 import ExecutionConfig


def is_job_ahead(kept: JobRecord, found: JobRecord) -> bool:
    """Whether the kept record is further: by attempt, which must never go back, then by history."""
    return (kept.job.attempt, kept.next_transition) > (found.job.attempt, found.next_transition)


def is_dataset_ahead(kept: DatasetRecord, found: DatasetRecord) -> bool:
    """Whether the kept record has more versions; they are only ever added."""
    return len(kept.versions) > len(found.versions)


def is_model_ahead(kept: ModelRecord, found: ModelRecord) -> bool:
    """Whether the kept record has more versions; they are only ever added."""
    return len(kept.model.versions) > len(found.model.versions)


def is_key_ahead(kept: KeyRecord, found: KeyRecord) -> bool:
    """Whether the kept record revokes a key: a revocation is never undone."""
    return kept.HasField("revoke_time") and not found.HasField("revoke_time")


def is_mode_ahead(kept: ExecutionConfig, found: ExecutionConfig) -> bool:
    """Whether the kept setting is younger."""
    return moment(kept.update_time) > moment(found.update_time)
