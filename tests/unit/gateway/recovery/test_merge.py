"""Of two revisions of a record the one that is further counts, whichever side has it."""

from datetime import timedelta

from gateway.recovery.merge import is_dataset_ahead, is_job_ahead, is_key_ahead, is_mode_ahead, is_model_ahead
from headway.contract.times import timestamp
from headway.contract.transitions import claim, request_cancel
from headway.v1.datasets_pb2 import Dataset
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.records_pb2 import DatasetRecord, JobRecord, KeyRecord, ModelRecord
from headway.v1.system_service_pb2 import ExecutionConfig
from tests.unit.gateway.builders import NOW, a_host, a_record


def claimed(record: JobRecord) -> JobRecord:
    return claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def test_a_job_with_a_later_attempt_is_ahead_of_one_with_more_history() -> None:
    queued = a_record()
    cancelled = request_cancel(queued, message="", now=NOW)
    assert cancelled is not None
    assert is_job_ahead(claimed(queued), queued)
    assert not is_job_ahead(queued, claimed(queued))
    assert is_job_ahead(cancelled, queued)
    assert not is_job_ahead(cancelled, claimed(queued)), "the fence never goes back"
    assert not is_job_ahead(queued, queued)


def test_more_versions_are_ahead() -> None:
    one, two = [Dataset(version=1)], [Dataset(version=1), Dataset(version=2)]
    assert is_dataset_ahead(DatasetRecord(versions=two), DatasetRecord(versions=one))
    assert not is_dataset_ahead(DatasetRecord(versions=one), DatasetRecord(versions=one))
    model = ModelRecord(model=Model(versions=[ModelVersion()]))
    assert is_model_ahead(model, ModelRecord())
    assert not is_model_ahead(ModelRecord(), model)


def test_a_revoked_key_stays_revoked() -> None:
    revoked = KeyRecord(revoke_time=timestamp(NOW))
    assert is_key_ahead(revoked, KeyRecord())
    assert not is_key_ahead(KeyRecord(), revoked)
    assert not is_key_ahead(revoked, revoked)


def test_the_younger_mode_counts() -> None:
    old = ExecutionConfig(update_time=timestamp(NOW))
    young = ExecutionConfig(update_time=timestamp(NOW + timedelta(seconds=1)))
    assert is_mode_ahead(young, old)
    assert not is_mode_ahead(old, young)
