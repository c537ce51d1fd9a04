"""Pausing and resuming at the gateway: idempotent, in every state, and never of somebody else's job (P20, P29)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.job_view import JobViews, etag_of
from gateway.steering import Steering
from gateway.watch_hub import WatchHub
from headway.contract.errors import EtagMismatch, InvalidTransition, NotFound, OutOfRange, StaleAttempt
from headway.contract.subjects import JOBS
from headway.contract.transitions import claim, commit_result, confirm_paused
from headway.runtime.records import Records
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    DESIRED_STATE_RUN,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
    JobResult,
)
from headway.v1.jobs_service_pb2 import CancelJobRequest, PauseJobRequest, ResumeJobRequest
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import NOW, NoHosts, a_host, a_principal, a_record

HOST = "hosts/local"
Call = Callable[[Steering, str, str, str], Awaitable[Job]]


@pytest.fixture
def records(memory_bus: MemoryBus) -> Records[JobRecord]:
    return memory_bus.records(JOBS, JobRecord)


@pytest.fixture
def steering(records: Records[JobRecord], clock: ManualClock) -> Steering:
    return Steering(records, JobViews(WatchHub(), NoHosts(), clock), clock)


async def a_job(records: Records[JobRecord], *, is_running: bool = False) -> str:
    record = a_record()
    if is_running:
        record = claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    await records.create(key(record.job.name), record)
    return record.job.name


def key(name: str) -> str:
    return name.rpartition("/")[2]


async def pause(steering: Steering, name: str, message: str = "", etag: str = "") -> Job:
    return await steering.pause(PauseJobRequest(name=name, message=message, etag=etag), a_principal())


async def resume(steering: Steering, name: str, message: str = "", etag: str = "") -> Job:
    return await steering.resume(ResumeJobRequest(name=name, message=message, etag=etag), a_principal())


async def stopped(records: Records[JobRecord], name: str) -> JobRecord:
    """What the scheduler writes when the host has stopped the attempt."""
    return (await records.change(key(name), lambda found: confirm_paused(found, attempt=1, now=NOW))).value


async def test_a_queued_job_is_paused_at_once_and_says_why_it_waits(
    steering: Steering, records: Records[JobRecord]
) -> None:
    job = await pause(steering, await a_job(records), "for the night")
    assert job.state == JOB_STATE_PAUSED
    assert job.wait_reason == "it waits to be resumed (for the night); it had not begun"


async def test_a_running_job_is_pausing_until_its_host_has_stopped(
    steering: Steering, records: Records[JobRecord]
) -> None:
    name = await a_job(records, is_running=True)
    assert (await pause(steering, name)).state == JOB_STATE_PAUSING
    assert (await stopped(records, name)).job.state == JOB_STATE_PAUSED
    assert (await resume(steering, name)).state == JOB_STATE_QUEUED


async def test_a_job_resumed_while_it_is_pausing_is_wanted_again(
    steering: Steering, records: Records[JobRecord]
) -> None:
    name = await a_job(records, is_running=True)
    await pause(steering, name)
    job = await resume(steering, name)
    assert (job.state, job.desired) == (JOB_STATE_PAUSING, DESIRED_STATE_RUN)
    assert (await stopped(records, name)).job.state == JOB_STATE_QUEUED


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_repeat_is_answered_and_changes_nothing(
    steering: Steering, records: Records[JobRecord], is_running: bool
) -> None:
    name = await a_job(records, is_running=is_running)
    first = await pause(steering, name)
    assert await pause(steering, name, "again") == first
    assert await pause(steering, name, etag='"1"') == first, "the wish is fulfilled, whatever the etag was"
    resumed = await resume(steering, name)
    assert await resume(steering, name, "again") == resumed


@pytest.mark.parametrize(("is_running", "state"), [(True, JOB_STATE_RUNNING), (False, JOB_STATE_QUEUED)])
async def test_resuming_what_was_never_paused_does_no_harm(
    steering: Steering, records: Records[JobRecord], is_running: bool, state: int
) -> None:
    name = await a_job(records, is_running=is_running)
    before = await records.get(key(name))
    assert (await resume(steering, name)).state == state
    assert await records.get(key(name)) == before


@pytest.mark.parametrize("call", [pause, resume])
async def test_a_job_that_is_over_is_refused_p20(steering: Steering, records: Records[JobRecord], call: Call) -> None:
    name = await a_job(records)
    await steering.cancel(CancelJobRequest(name=name), a_principal())
    before = await records.get(key(name))
    with pytest.raises(InvalidTransition, match=r"CANCELLED .* submit it again"):
        await call(steering, name, "", "")
    assert await records.get(key(name)) == before


@pytest.mark.parametrize("call", [pause, resume])
async def test_an_etag_that_does_not_hold_changes_nothing(
    steering: Steering, records: Records[JobRecord], call: Call
) -> None:
    name = await a_job(records)
    if call is resume:
        await pause(steering, name)
    before = await records.get(key(name))
    with pytest.raises(EtagMismatch):
        await call(steering, name, "", etag_of(before.revision + 1))
    assert await records.get(key(name)) == before
    await call(steering, name, "", etag_of(before.revision))
    assert (await records.get(key(name))).revision > before.revision


@pytest.mark.parametrize("call", [pause, resume])
async def test_a_long_message_is_refused(steering: Steering, records: Records[JobRecord], call: Call) -> None:
    name = await a_job(records)
    with pytest.raises(OutOfRange) as caught:
        await call(steering, name, "x" * 257, "")
    assert caught.value.violations[0].field == "message"


async def test_a_forbidden_and_an_unknown_job_get_the_same_answer_p29(
    steering: Steering, records: Records[JobRecord]
) -> None:
    stranger, name, unknown = a_principal(projects=["other"]), await a_job(records), a_record().job.name
    answers = []
    for asked, principal in ((name, stranger), (unknown, stranger), (unknown, a_principal())):
        with pytest.raises(NotFound) as caught:
            await steering.pause(PauseJobRequest(name=asked), principal)
        answers.append(caught.value.message)
        with pytest.raises(NotFound) as caught:
            await steering.resume(ResumeJobRequest(name=asked), principal)
        answers.append(caught.value.message)
    assert len(set(answers)) == 1


async def test_a_cancellation_wins_over_a_pause_that_is_under_way_p21(
    steering: Steering, records: Records[JobRecord]
) -> None:
    name = await a_job(records, is_running=True)
    await pause(steering, name)
    cancelled = await steering.cancel(CancelJobRequest(name=name), a_principal())
    assert cancelled.state == JOB_STATE_CANCELLING
    with pytest.raises(InvalidTransition, match="a cancellation cannot be taken back"):
        await resume(steering, name)
    assert (await stopped(records, name)).job.state == JOB_STATE_CANCELLED


async def test_a_pause_and_a_result_at_once_lose_nothing(steering: Steering, records: Records[JobRecord]) -> None:
    """Either the result is there and the job is over, or nothing of it is and the job is paused later on."""
    for _ in range(50):
        name = await a_job(records, is_running=True)

        async def commit(name: str = name) -> None:
            await records.change(
                key(name), lambda found: commit_result(found, host=HOST, result=JobResult(attempt=1), now=NOW)
            )

        async def ask(name: str = name) -> None:
            try:
                await pause(steering, name)
            except InvalidTransition:
                return

        await asyncio.gather(commit(), ask())
        job = (await records.get(key(name))).value.job
        assert job.state == JOB_STATE_SUCCEEDED
        assert job.HasField("result")
        with pytest.raises(StaleAttempt):
            await stopped(records, name)
