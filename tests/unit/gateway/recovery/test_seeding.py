"""Records go back into a store without undoing what it holds; whatever was broken off is simply done again."""

from datetime import UTC, datetime

import pytest

from gateway.model_versions import find_listed
from gateway.recovery.record_copy import RecordCopy, read_copy
from gateway.recovery.seeding import Seeding
from gateway.recovery.told import Told
from headway.contract.ids import ModelName, ModelVersionName
from headway.contract.subjects import JOBS, MODELS
from headway.contract.transitions import claim, commit_result
from headway.runtime.clock import SystemClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import JobResult
from headway.v1.records_pb2 import JobRecord, ModelRecord
from tests.unit.gateway.builders import NOW, PROJECT, a_host, a_record

NOTHING_TOLD = Told(0, datetime(1970, 1, 1, tzinfo=UTC))


def key(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


def claimed(record: JobRecord) -> JobRecord:
    return claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def succeeded(record: JobRecord) -> JobRecord:
    version = ModelVersionName(PROJECT, "iris", key(record)).name
    result = JobResult(attempt=1, model_version=version)
    return commit_result(claimed(record), host="hosts/local", result=result, now=NOW)


async def seed(bus: MemoryBus, copy: RecordCopy) -> Seeding:
    seeding = Seeding(bus, SystemClock(), lambda _: None)
    await seeding.write(copy, NOTHING_TOLD)
    return seeding


async def test_every_record_comes_back_and_a_second_time_changes_nothing(memory_bus: MemoryBus) -> None:
    records = [a_record() for _ in range(40)]
    copy = RecordCopy(jobs={key(record): (number, record) for number, record in enumerate(records, 1)})
    first = await seed(memory_bus, copy)
    assert first.counts["jobs"] == {"brought_back": 40}
    revisions = (await memory_bus.stream_state(JOBS)).last_sequence
    second = await seed(memory_bus, copy)
    assert second.counts["jobs"] == {"there": 40}
    assert (await memory_bus.stream_state(JOBS)).last_sequence == revisions


async def test_the_store_keeps_what_is_newer_and_gets_what_is_further(memory_bus: MemoryBus) -> None:
    older, newer = a_record(), a_record()
    jobs = memory_bus.records(JOBS, JobRecord)
    await jobs.create(key(older), older)
    await jobs.create(key(newer), claimed(newer))
    await seed(memory_bus, RecordCopy(jobs={key(older): (5, claimed(older)), key(newer): (6, newer)}))
    assert (await jobs.get(key(older))).value == claimed(older)
    assert (await jobs.get(key(newer))).value == claimed(newer)


async def test_a_model_that_was_not_registered_yet_is_made_from_its_job(memory_bus: MemoryBus) -> None:
    record = succeeded(a_record())
    seeding = await seed(memory_bus, RecordCopy(jobs={key(record): (1, record)}))
    assert seeding.made_versions == [record.job.result.model_version]
    listed = await memory_bus.records(MODELS, ModelRecord).get(ModelName(PROJECT, "iris").key)
    assert find_listed(listed.value, record.job.result.model_version) is not None
    assert (await seed(memory_bus, RecordCopy(jobs={key(record): (1, record)}))).counts["jobs"] == {"there": 1}


@pytest.mark.parametrize("data", [b"\xff\xff\xff", a_record(job_id="jzzzzzzzzzzzzzzzzzzzzzzzzz").SerializeToString()])
def test_bytes_that_are_no_record_of_their_key_are_named_and_left_out(data: bytes) -> None:
    good = a_record()
    copy = read_copy({"jobs": [("jbad", 1, data), (key(good), 2, good.SerializeToString())]})
    assert copy.unreadable == ["jobs/jbad"]
    assert copy.jobs == {key(good): (2, good)}
