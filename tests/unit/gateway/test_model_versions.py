from datetime import timedelta

import pytest

from gateway.model_versions import (
    VERSIONS_LISTED_MAX,
    find_listed,
    makes_version,
    version_key,
    version_name,
    version_of,
    with_listed,
)
from headway.contract.ids import ModelVersionName
from headway.contract.subjects import MAX_RECORD_BYTES
from headway.contract.transitions import commit_result
from headway.runtime.records import checked_key
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import Artifact, Bundle, JobResult, ResultSummary
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord, ModelRecord


def a_saved_record(model_id: str = "iris") -> JobRecord:
    record = a_record()
    record.model_id = model_id
    record = a_claimed_record(record)
    bundle = Bundle(digest="sha256:" + "1" * 64, artifacts=[Artifact(path="model.json")])
    summary = ResultSummary(task="classification", metrics={"accuracy": 0.9}, headline_metric="accuracy")
    result = JobResult(bundle=bundle, summary=summary, attempt=1, model_version=version_name(record))
    return commit_result(record, host=record.job.host, result=result, now=A_MOMENT)


def test_a_version_is_named_by_the_job_that_made_it() -> None:
    record = a_saved_record()
    job_id = record.job.name.rpartition("/")[2]
    assert makes_version(record)
    assert version_of(record).name == f"projects/demo/models/iris/versions/{job_id}"
    assert version_of(record).input_digests == [record.inputs[0].digest]
    checked_key(version_key(ModelVersionName.parse(version_of(record).name)))


def test_a_model_that_is_not_saved_makes_no_version() -> None:
    assert version_name(a_record()) == ""
    assert not makes_version(a_saved_record(model_id=""))
    assert not makes_version(a_claimed_record())


def test_a_list_tells_versions_in_short_and_numbers_them() -> None:
    record = ModelRecord()
    versions = [version_of(a_saved_record()) for _ in range(3)]
    for version in versions:
        record = with_listed(record, version, now=A_MOMENT) or record
    assert [version.number for version in record.model.versions] == [1, 2, 3]
    assert record.model.name == "projects/demo/models/iris"
    short = find_listed(record, versions[1].name)
    assert short is not None
    assert (list(short.bundle.artifacts), dict(short.summary.metrics)) == ([], {})
    assert (short.bundle.digest, short.summary.headline_metric) == (versions[1].bundle.digest, "accuracy")


def test_listing_twice_changes_nothing() -> None:
    version = version_of(a_saved_record())
    record = with_listed(ModelRecord(), version, now=A_MOMENT)
    assert record is not None
    assert with_listed(record, version, now=A_MOMENT) is None


def test_a_full_list_lets_the_oldest_go_and_never_takes_it_back() -> None:
    """A redelivered job of long ago must not get a second number."""
    record = ModelRecord()
    versions = []
    for at in range(VERSIONS_LISTED_MAX + 2):
        version = ModelVersion()
        version.CopyFrom(version_of(a_saved_record()))
        version.create_time.FromDatetime(A_MOMENT + timedelta(seconds=at))
        versions.append(version)
        record = with_listed(record, version, now=A_MOMENT) or record
    assert [record.model.versions[0].number, record.model.versions[-1].number] == [3, VERSIONS_LISTED_MAX + 2]
    assert with_listed(record, versions[0], now=A_MOMENT) is None
    assert record.ByteSize() < MAX_RECORD_BYTES


@pytest.mark.parametrize("model_id", ["a.b", "a_b", "x" * 64])
def test_every_model_id_gives_a_key(model_id: str) -> None:
    checked_key(version_key(ModelVersionName("demo", model_id, "j" + "a" * 25)))
