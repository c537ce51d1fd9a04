"""Creating jobs: once per request_id, whatever happens at the same time (P4, P5)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.job_view import JobViews
from gateway.projection.view import Projection
from gateway.queue_depth import QueueDepth
from gateway.submit import Submitter
from gateway.watch_hub import WatchHub
from headway.contract.errors import (
    DiskFull,
    HeadwayError,
    OutOfRange,
    PermissionDenied,
    QueueFull,
    RequestIdReused,
    StoreUnavailable,
    UnknownDataset,
)
from headway.contract.subjects import JOBS
from headway.contract.transitions import claim, request_cancel
from headway.runtime.records import Records, Stored
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import DESIRED_STATE_RUN, JOB_STATE_QUEUED, Job
from headway.v1.jobs_service_pb2 import CreateJobRequest
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import (
    NOW,
    PROJECT,
    FakeTables,
    FakeWorld,
    NoHosts,
    a_host,
    a_principal,
    a_request,
    a_spec,
    a_tabular_spec,
    seen,
)


@dataclass
class Space:
    """Room on a disk, or none."""

    refusal: HeadwayError | None = None

    def check(self) -> None:
        if self.refusal is not None:
            raise self.refusal


@dataclass
class Door:
    """A submitter on a real interface to a bucket in memory."""

    submitter: Submitter
    records: Records[JobRecord]
    world: FakeWorld
    queue: QueueDepth
    projection: Projection
    space: Space

    async def create(self, request: CreateJobRequest, projects: Sequence[str] = ("demo",)) -> Job:
        return await self.submitter.create(request, a_principal(projects=projects))

    async def stored(self, job: Job) -> Stored[JobRecord]:
        return await self.records.get(job.name.rpartition("/")[2])


@pytest.fixture
async def door(memory_bus: MemoryBus, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Door]:
    records = memory_bus.records(JOBS, JobRecord)
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(NOW)
    world, queue = FakeWorld(), QueueDepth(per_project=100, per_key=100)
    space = Space()
    submitter = Submitter(records, projection, queue, JobViews(WatchHub(), NoHosts(), clock), world, clock, space)
    yield Door(submitter, records, world, queue, projection, space)
    await projection.aclose()


async def test_a_created_job_is_queued_and_stored_as_it_was_asked_for(door: Door) -> None:
    request = a_request()
    job = await door.create(request)
    record = (await door.stored(job)).value
    assert record.job.state == job.state == JOB_STATE_QUEUED
    assert record.job.desired == DESIRED_STATE_RUN
    assert record.job.spec == request.job.spec
    assert (record.job.kind, record.job.user_id, record.key_id) == ("tabular_train", "ada", "key1")
    assert [one.role for one in record.inputs] == ["table"]
    assert record.model_id == job.name.rpartition("/")[2]
    assert [transition.event for transition in record.job.transitions] == ["submitted"]
    assert job.etag == f'"{(await door.stored(job)).revision}"'
    assert job.admission.steps


async def test_the_user_may_be_named(door: Door) -> None:
    assert (await door.create(a_request(a_spec(user_id="grace")))).user_id == "grace"


async def test_without_a_request_id_every_call_is_a_new_job(door: Door) -> None:
    assert (await door.create(a_request())).name != (await door.create(a_request())).name


async def test_a_repeat_gives_the_same_job_p4(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    again = await door.create(a_request(request_id="r1"))
    assert again == first


async def test_64_calls_at_once_make_one_job_p4(door: Door) -> None:
    jobs = await asyncio.gather(*(door.create(a_request(request_id="r1")) for _ in range(64)))
    assert len({job.name for job in jobs}) == 1
    assert {job.etag for job in jobs} == {f'"{(await door.stored(jobs[0])).revision}"'}


async def test_of_many_bodies_at_once_one_wins_and_the_others_are_told_p4(door: Door) -> None:
    requests = [a_request(a_spec(a_tabular_spec(epochs=number + 1)), request_id="r1") for number in range(16)]
    outcomes = await asyncio.gather(*(door.create(request) for request in requests), return_exceptions=True)
    jobs = [outcome for outcome in outcomes if isinstance(outcome, Job)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, RequestIdReused)]
    assert (len(jobs), len(refusals)) == (1, 15)
    assert all(refusal.metadata["job"] == jobs[0].name for refusal in refusals)


async def test_another_body_is_refused_with_the_job_and_the_fields_that_differ_p4(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    other = a_request(a_spec(a_tabular_spec(epochs=3), priority=7), request_id="r1")
    with pytest.raises(RequestIdReused) as caught:
        await door.create(other)
    assert caught.value.metadata == {
        "job": first.name,
        "fields": "job.spec.priority,job.spec.tabular_train.epochs",
    }
    assert first.name in caught.value.message


async def test_the_same_request_id_in_another_project_is_another_job(door: Door) -> None:
    other = a_request(request_id="r1")
    other.parent = "projects/other"
    first = await door.create(a_request(request_id="r1"))
    assert (await door.create(other, projects=["other"])).name.rpartition("/")[2] != first.name.rpartition("/")[2]


@pytest.mark.parametrize("is_projected", [True, False])
async def test_a_repeat_is_answered_even_when_the_world_has_changed_p4(door: Door, is_projected: bool) -> None:
    first = await door.create(a_request(request_id="r1"))
    if is_projected:
        stored = await door.stored(first)
        door.projection.offer(seen(stored.value, stored.revision))
        await door.projection.flush()
    door.world.tables = FakeTables(error=UnknownDataset("it was deleted"))
    assert (await door.create(a_request(request_id="r1"))).name == first.name


async def test_a_known_repeat_does_not_look_at_the_data_again(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    stored = await door.stored(first)
    door.projection.offer(seen(stored.value, stored.revision))
    await door.projection.flush()
    door.world.tables = FakeTables(error=AssertionError("a repeat takes nothing in"))
    assert (await door.create(a_request(request_id="r1"))).name == first.name


async def test_a_repeat_shows_the_job_as_it_is_now(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    await door.records.change(first.name.rpartition("/")[2], lambda record: request_cancel(record, message="", now=NOW))
    assert (await door.create(a_request(request_id="r1"))).state != JOB_STATE_QUEUED


async def test_a_refused_request_leaves_no_job_and_its_id_free_p5(door: Door) -> None:
    with pytest.raises(OutOfRange):
        await door.create(a_request(a_spec(a_tabular_spec(epochs=0)), request_id="r1"))
    assert (await door.create(a_request(request_id="r1"))).name


async def test_a_key_without_the_right_gets_no_job_of_an_earlier_request_p29(door: Door) -> None:
    await door.create(a_request(request_id="r1"))
    with pytest.raises(PermissionDenied):
        await door.create(a_request(request_id="r1"), projects=["other"])


async def test_validate_only_answers_with_admission_and_stores_nothing(door: Door) -> None:
    job = await door.create(a_request(request_id="r1", validate_only=True))
    assert job.admission.steps
    assert (job.name, job.state) == ("", 0)
    real = await door.create(a_request(request_id="r1"))
    assert real.admission == job.admission


async def test_validate_only_is_refused_where_the_real_call_would_be(door: Door) -> None:
    with pytest.raises(OutOfRange):
        await door.create(a_request(a_spec(a_tabular_spec(epochs=0)), validate_only=True))


async def test_one_queued_job_too_many_is_refused_with_a_delay_b22(door: Door) -> None:
    for _ in range(100):
        await door.create(a_request())
    with pytest.raises(QueueFull) as caught:
        await door.create(a_request())
    assert caught.value.retry_after is not None
    assert caught.value.metadata["quota"]


async def test_calls_in_flight_together_cannot_pass_the_limit_b22(door: Door) -> None:
    outcomes = await asyncio.gather(*(door.create(a_request()) for _ in range(130)), return_exceptions=True)
    assert sum(isinstance(outcome, Job) for outcome in outcomes) == 100


async def test_repeats_do_not_count_in_the_queue(door: Door) -> None:
    for _ in range(150):
        await door.create(a_request(request_id="r1"))
    for _ in range(99):
        await door.create(a_request())


async def test_a_repeat_of_a_job_that_runs_does_not_count_it_as_queued(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    job_id = first.name.rpartition("/")[2]
    await door.records.change(
        job_id,
        lambda record: claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW),
    )
    door.queue.note(job_id, (await door.stored(first)).value)
    await door.create(a_request(request_id="r1"))
    for _ in range(100):
        await door.create(a_request())


async def test_without_room_nothing_is_written_or_counted_and_a_repeat_is_still_answered_p28(door: Door) -> None:
    first = await door.create(a_request(request_id="r1"))
    door.space.refusal = DiskFull("full")
    with pytest.raises(DiskFull):
        await door.create(a_request(request_id="r2"))
    assert (await door.create(a_request(request_id="r1"))).name == first.name
    with pytest.raises(OutOfRange):
        await door.create(a_request(a_spec(a_tabular_spec(epochs=-1))))
    door.space.refusal = None
    for number in range(2, 101):
        await door.create(a_request(request_id=f"r{number}"))


@dataclass
class FailingRecords:
    """A bucket that is away."""

    tried: list[str] = field(default_factory=list)

    async def find(self, key: str) -> None:
        raise StoreUnavailable("away")

    async def create(self, key: str, value: JobRecord) -> int:
        self.tried.append(key)
        raise StoreUnavailable("away")


async def test_a_job_that_could_not_be_written_is_not_acknowledged_and_not_counted_p5(
    door: Door, clock: ManualClock
) -> None:
    queue = QueueDepth(per_project=1, per_key=1)
    views = JobViews(WatchHub(), NoHosts(), clock)
    broken = Submitter(FailingRecords(), door.projection, queue, views, door.world, clock, door.space)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await broken.create(a_request(), a_principal())
    queue.reserve("j1", PROJECT, "key1")
