"""Cancelling: idempotent, final, and never of somebody else's job (P20, P21, P29)."""

import asyncio
from datetime import timedelta

import pytest

from gateway.job_view import JobViews, etag_of
from gateway.steering import Steering
from gateway.watch_hub import WatchHub
from headway.contract.errors import EtagMismatch, HeadwayError, InvalidTransition, JobCancelled, NotFound, OutOfRange
from headway.contract.subjects import JOBS
from headway.contract.transitions import claim, commit_result, fail_attempt
from headway.runtime.principal import Principal
from headway.runtime.records import Records
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_FATAL,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_FAILED,
    JOB_STATE_SUCCEEDED,
    Failure,
    Job,
    JobResult,
)
from headway.v1.jobs_service_pb2 import CancelJobRequest
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import (
    NOW,
    NoHosts,
    a_host,
    a_principal,
    a_record,
)

HOST = "hosts/local"


@pytest.fixture
def records(memory_bus: MemoryBus) -> Records[JobRecord]:
    return memory_bus.records(JOBS, JobRecord)


@pytest.fixture
def steering(records: Records[JobRecord], clock: ManualClock) -> Steering:
    return Steering(records, JobViews(WatchHub(), NoHosts(), clock), clock)


async def a_job(records: Records[JobRecord], *, is_running: bool = False) -> JobRecord:
    record = a_record()
    if is_running:
        record = claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    await records.create(key(record), record)
    return record


def key(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


async def cancel(steering: Steering, record: JobRecord, principal: Principal | None = None, **fields: str) -> Job:
    request = CancelJobRequest(name=record.job.name, **fields)
    return await steering.cancel(request, principal or a_principal())


async def test_a_queued_job_is_cancelled_at_once(steering: Steering, records: Records[JobRecord]) -> None:
    record = await a_job(records)
    job = await cancel(steering, record, message="enough")
    assert job.state == JOB_STATE_CANCELLED
    assert job.transitions[-1].message == "enough"
    assert (await records.get(key(record))).value.job.state == JOB_STATE_CANCELLED


async def test_a_running_job_is_told_to_stop(steering: Steering, records: Records[JobRecord]) -> None:
    job = await cancel(steering, await a_job(records, is_running=True))
    assert job.state == JOB_STATE_CANCELLING


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_repeat_is_answered_and_changes_nothing(
    steering: Steering, records: Records[JobRecord], is_running: bool
) -> None:
    record = await a_job(records, is_running=is_running)
    first = await cancel(steering, record)
    again = await cancel(steering, record, message="again")
    assert again == first


async def test_an_acknowledged_cancel_never_becomes_success_p21(
    steering: Steering, records: Records[JobRecord]
) -> None:
    record = await a_job(records, is_running=True)
    await cancel(steering, record)
    with pytest.raises(JobCancelled):
        await records.change(
            key(record), lambda found: commit_result(found, host=HOST, result=JobResult(attempt=1), now=NOW)
        )
    assert (await records.get(key(record))).value.job.state == JOB_STATE_CANCELLING


async def test_a_cancel_and_a_result_at_once_have_one_winner_p21(
    steering: Steering, records: Records[JobRecord]
) -> None:
    for _ in range(50):
        record = await a_job(records, is_running=True)

        async def commit(record: JobRecord = record) -> str:
            try:
                await records.change(
                    key(record), lambda found: commit_result(found, host=HOST, result=JobResult(attempt=1), now=NOW)
                )
            except JobCancelled:
                return "refused"
            return "accepted"

        async def stop(record: JobRecord = record) -> str:
            try:
                await cancel(steering, record)
            except InvalidTransition:
                return "refused"
            return "accepted"

        committed, cancelled = await asyncio.gather(commit(), stop())
        assert {committed, cancelled} == {"accepted", "refused"}, "there should be exactly one winner"
        state = (await records.get(key(record))).value.job.state
        assert state == (JOB_STATE_SUCCEEDED if committed == "accepted" else JOB_STATE_CANCELLING)


async def test_a_job_that_is_over_cannot_be_cancelled_p20(steering: Steering, records: Records[JobRecord]) -> None:
    record = await a_job(records, is_running=True)
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="X")
    await records.change(key(record), lambda found: fail_attempt(found, attempt=1, failure=failure, now=NOW))
    with pytest.raises(InvalidTransition):
        await cancel(steering, record)
    assert (await records.get(key(record))).value.job.state == JOB_STATE_FAILED


async def test_an_etag_that_holds_lets_it_through(steering: Steering, records: Records[JobRecord]) -> None:
    record = await a_job(records)
    revision = (await records.get(key(record))).revision
    assert (await cancel(steering, record, etag=etag_of(revision))).state == JOB_STATE_CANCELLED


async def test_an_etag_that_does_not_hold_changes_nothing(steering: Steering, records: Records[JobRecord]) -> None:
    record = await a_job(records)
    before = await records.get(key(record))
    with pytest.raises(EtagMismatch):
        await cancel(steering, record, etag=etag_of(before.revision + 1))
    assert await records.get(key(record)) == before


async def test_a_repeat_with_the_old_etag_is_answered_since_the_wish_is_fulfilled(
    steering: Steering, records: Records[JobRecord]
) -> None:
    record = await a_job(records)
    etag = etag_of((await records.get(key(record))).revision)
    first = await cancel(steering, record, etag=etag)
    assert await cancel(steering, record, etag=etag) == first


async def test_unknown_forbidden_and_misplaced_jobs_get_the_same_answer_p29(
    steering: Steering, records: Records[JobRecord]
) -> None:
    record = await a_job(records)
    misplaced = JobRecord()
    misplaced.CopyFrom(record)
    misplaced.job.name = record.job.name.replace("/demo/", "/other/")
    asked = [
        (a_record(), a_principal()),
        (record, a_principal(projects=["other"])),
        (misplaced, a_principal(projects=["other"])),
    ]
    answers = []
    for asked_record, principal in asked:
        for fields in ({}, {"etag": '"1"'}):
            with pytest.raises(HeadwayError) as caught:
                await cancel(steering, asked_record, principal, **fields)
            answers.append((type(caught.value), caught.value.message, caught.value.metadata))
    assert set(map(str, answers)) == {str((NotFound, answers[0][1], {}))}
    assert (await records.get(key(record))).value == record


async def test_a_long_message_is_refused(steering: Steering, records: Records[JobRecord]) -> None:
    record = await a_job(records)
    with pytest.raises(OutOfRange) as caught:
        await cancel(steering, record, message="x" * 257)
    assert caught.value.violations[0].field == "message"


async def test_times_never_go_back_when_the_clock_does_p22(
    steering: Steering, records: Records[JobRecord], clock: ManualClock
) -> None:
    record = await a_job(records)
    clock.set_wall(NOW - timedelta(days=1))
    job = await cancel(steering, record)
    moments = [transition.occur_time.ToDatetime() for transition in job.transitions]
    assert moments == sorted(moments)
