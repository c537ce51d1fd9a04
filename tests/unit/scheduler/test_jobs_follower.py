import asyncio

import pytest

from headway.contract.subjects import JOBS
from headway.runtime.feeds import StreamReplaced
from headway.testing.builders import a_record
from headway.v1.records_pb2 import JobRecord
from scheduler.jobs_follower import JobsFollower
from tests.unit.scheduler.stage import Stage, a_stage, running


async def a_follower() -> tuple[Stage, JobsFollower]:
    stage = await a_stage()
    return stage, JobsFollower(stage.bus, stage.view, stage.clock)


def id_of(record: JobRecord) -> str:
    return record.job.name.rpartition("/")[2]


async def test_records_of_before_and_after_the_start_are_in_the_view() -> None:
    stage, follower = await a_follower()
    before, after = a_record(), a_record()
    await stage.records.create(id_of(before), before)
    async with running(follower.run):
        await follower.caught_up.wait()
        assert len(stage.view.snapshot().queued) == 1

        await stage.records.create(id_of(after), after)
        await stage.clock.advance(0.0)
        assert len(stage.view.snapshot().queued) == 2


async def test_garbage_is_left_out_and_the_rest_goes_on() -> None:
    stage, follower = await a_follower()
    record = a_record()
    async with running(follower.run):
        await stage.bus.publish(f"{JOBS.prefix}garbage", b"\xff\xff")
        await stage.bus.publish(f"{JOBS.prefix}{'j' + 'a' * 25}", record.SerializeToString())
        await stage.records.create(id_of(record), record)
        await stage.clock.advance(0.0)

        assert [job.job_id for job in stage.view.snapshot().queued] == [id_of(record)]


async def test_a_record_that_turned_into_garbage_is_left_alone_until_it_is_sound_again() -> None:
    stage, follower = await a_follower()
    record = a_record()
    async with running(follower.run):
        await stage.records.create(id_of(record), record)
        await stage.bus.publish(f"{JOBS.prefix}{id_of(record)}", b"\xff\xff")
        await stage.clock.advance(0.0)
        assert stage.view.snapshot().queued == ()

        await stage.records.put(id_of(record), record)
        await stage.clock.advance(0.0)
        assert len(stage.view.snapshot().queued) == 1


async def test_a_deleted_record_is_forgotten() -> None:
    stage, follower = await a_follower()
    record = a_record()
    async with running(follower.run):
        await stage.records.create(id_of(record), record)
        await stage.records.delete(id_of(record))
        await stage.clock.advance(0.0)

        assert stage.view.snapshot().queued == ()


async def test_a_bucket_that_was_made_anew_ends_the_loop() -> None:
    """Nothing that the view holds is true any more: the service starts over."""
    stage, follower = await a_follower()
    await stage.store(a_record())
    following = asyncio.create_task(follower.run())
    await follower.caught_up.wait()

    stage.bus.replace(JOBS)

    with pytest.raises(StreamReplaced):
        await following
