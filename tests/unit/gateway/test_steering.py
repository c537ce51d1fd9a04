"""Every wish at the gateway, in every state: one write at most, the same answer twice, and etags (P20, P21, P29).

What each wish does to a record is the table of tests/unit/contract/test_wishes.py; more on pauses is in test_pause.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.job_view import JobViews, etag_of
from gateway.steering import Steering
from gateway.watch_hub import WatchHub
from headway.contract.errors import EtagMismatch, InvalidTransition, NotFound, OutOfRange
from headway.contract.subjects import JOBS
from headway.runtime.records import Records
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, Job
from headway.v1.jobs_service_pb2 import CancelJobRequest, PauseJobRequest, ResumeJobRequest, SetJobPriorityRequest
from headway.v1.records_pb2 import JobRecord
from tests.job_lives import lives
from tests.unit.gateway.builders import NoHosts, a_principal

Call = Callable[[Steering, str], Awaitable[Job]]

CALLS: dict[str, Call] = {
    "cancel": lambda steering, name: steering.cancel(CancelJobRequest(name=name), a_principal()),
    "pause": lambda steering, name: steering.pause(PauseJobRequest(name=name), a_principal()),
    "resume": lambda steering, name: steering.resume(ResumeJobRequest(name=name), a_principal()),
    "priority": lambda steering, name: steering.set_priority(
        SetJobPriorityRequest(name=name, priority=5), a_principal()
    ),
}


@pytest.fixture
def records(memory_bus: MemoryBus) -> Records[JobRecord]:
    return memory_bus.records(JOBS, JobRecord)


@pytest.fixture
def steering(records: Records[JobRecord], clock: ManualClock) -> Steering:
    return Steering(records, JobViews(WatchHub(), NoHosts(), clock), clock)


async def stored(records: Records[JobRecord], state: str = "QUEUED") -> str:
    record = lives()[state]
    await records.create(key(record.job.name), record)
    return record.job.name


def key(name: str) -> str:
    return name.rpartition("/")[2]


async def prioritise(steering: Steering, name: str, priority: int, message: str = "", etag: str = "") -> Job:
    request = SetJobPriorityRequest(name=name, priority=priority, message=message, etag=etag)
    return await steering.set_priority(request, a_principal())


@pytest.mark.parametrize("state", lives())
@pytest.mark.parametrize("verb", CALLS)
async def test_asking_twice_is_asking_once(
    steering: Steering, records: Records[JobRecord], state: str, verb: str
) -> None:
    name = await stored(records, state)
    before = await records.get(key(name))
    try:
        first = await CALLS[verb](steering, name)
    except InvalidTransition:
        with pytest.raises(InvalidTransition):
            await CALLS[verb](steering, name)
        assert await records.get(key(name)) == before, "what is refused changes nothing"
        return
    assert await CALLS[verb](steering, name) == first
    assert (await records.get(key(name))).revision in {before.revision, before.revision + 1}


async def test_another_priority_is_in_the_answer_and_in_the_record(
    steering: Steering, records: Records[JobRecord]
) -> None:
    name = await stored(records)
    job = await prioritise(steering, name, -7, "it can wait")

    assert (job.state, job.priority) == (JOB_STATE_QUEUED, -7)
    kept = (await records.get(key(name))).value.job
    assert (kept.priority, kept.transitions[-1].message) == (-7, "from 0 to -7: it can wait")


@pytest.mark.parametrize("priority", [-101, 101, 2**31 - 1, -(2**31)])
async def test_a_priority_that_is_none_is_refused_with_its_field_b25(
    steering: Steering, records: Records[JobRecord], priority: int
) -> None:
    with pytest.raises(OutOfRange) as refused:
        await prioritise(steering, await stored(records), priority)
    assert [(one.field, one.allowed) for one in refused.value.violations] == [("priority", "-100 to 100")]


async def test_an_etag_decides_between_two_callers(steering: Steering, records: Records[JobRecord]) -> None:
    name = await stored(records)
    etag = etag_of((await records.get(key(name))).revision)
    answers = await asyncio.gather(
        *(prioritise(steering, name, priority, etag=etag) for priority in (1, 2)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {Job, EtagMismatch}


async def test_somebody_elses_job_is_none_p29(steering: Steering, records: Records[JobRecord]) -> None:
    name = await stored(records)
    with pytest.raises(NotFound):
        await steering.set_priority(SetJobPriorityRequest(name=name, priority=1), a_principal(projects=("another",)))
