"""The projection as the gateway uses it: never less than what was acknowledged (P23)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.projection.filter_sql import condition_for
from gateway.projection.order import NEWEST_FIRST
from gateway.projection.view import CATCH_UP_SECONDS, AnotherStream, Projection
from headway.contract.errors import StoreUnavailable
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import JOB_STATE_EVAL_FAILED, JOB_STATE_FAILED, JOB_STATE_SUCCEEDED, JobState
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import NOW, PROJECT, a_record, seen

ALL = condition_for(PROJECT, "")


@pytest.fixture
async def projection(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Projection]:
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(NOW)
    yield projection
    await projection.aclose()


async def total(projection: Projection) -> int:
    return (await projection.page(ALL, NEWEST_FIRST, None, 10)).total


async def test_a_list_shows_what_was_offered_before_any_batch_was_written(projection: Projection) -> None:
    projection.offer(seen(a_record(), 1))
    assert await total(projection) == 1


async def test_a_list_waits_for_an_acknowledged_write_p23(projection: Projection) -> None:
    projection.note_write(3)
    listing = asyncio.ensure_future(total(projection))
    projection.offer(seen(a_record(), 2))
    await asyncio.sleep(0.05)
    assert not listing.done(), "a list should never miss a write that was acknowledged"
    projection.offer(seen(a_record(), 3))
    assert await listing == 2


async def test_a_write_before_the_follower_begins_is_waited_for_p23(tmp_path: Path, clock: ManualClock) -> None:
    """A gateway serves before its loops run, also on a projection that is new."""
    projection = Projection(tmp_path / "projection.db", clock)
    projection.note_write(1)
    await projection.begin(NOW)
    listing = asyncio.ensure_future(total(projection))
    await asyncio.sleep(0.05)
    assert not listing.done(), "a list should never miss a write that was acknowledged"
    projection.offer(seen(a_record(), 1))
    assert await listing == 1
    await projection.aclose()


async def test_a_list_says_so_when_the_write_does_not_come(projection: Projection, clock: ManualClock) -> None:
    projection.note_write(3)
    listing = asyncio.ensure_future(total(projection))
    await asyncio.sleep(0)
    await clock.advance(CATCH_UP_SECONDS + 0.1)
    with pytest.raises(StoreUnavailable):
        await listing


async def test_a_write_that_was_seen_already_is_not_waited_for(projection: Projection) -> None:
    projection.offer(seen(a_record(), 5))
    projection.note_write(5)
    assert await total(projection) == 1


async def test_an_empty_place_in_the_stream_is_not_waited_for(projection: Projection) -> None:
    projection.note_write(9)
    projection.saw_everything_until(9)
    assert await total(projection) == 0


async def test_rows_are_written_in_the_background(projection: Projection, clock: ManualClock) -> None:
    writer = asyncio.ensure_future(projection.write_for_ever())
    record = a_record()
    projection.offer(seen(record, 1))
    job_id = record.job.name.rpartition("/")[2]
    assert not projection.probably_contains(job_id)

    async def is_written() -> bool:
        await clock.advance(1)
        return projection.probably_contains(job_id)

    await eventually(is_written)
    writer.cancel()


async def test_it_goes_on_where_it_ended(tmp_path: Path, clock: ManualClock) -> None:
    first = Projection(tmp_path / "projection.db", clock)
    await first.begin(NOW)
    first.offer(seen(a_record(), 17))
    await first.flush()
    await first.aclose()
    second = Projection(tmp_path / "projection.db", clock)
    assert await second.begin(NOW) == 18
    assert await total(second) == 1
    await second.aclose()


async def test_another_stream_is_refused_and_the_rows_stay_p3(projection: Projection) -> None:
    projection.offer(seen(a_record(), 17))
    await projection.flush()
    with pytest.raises(AnotherStream):
        await projection.begin(NOW + timedelta(days=1))
    projection.stand_still()
    assert await total(projection) == 1


async def test_lists_do_not_wait_for_a_store_that_is_lost_p3(projection: Projection) -> None:
    projection.offer(seen(a_record(), 17))
    projection.note_write(20)
    projection.stand_still()
    assert await total(projection) == 1


async def test_a_page_tells_whether_there_is_more(projection: Projection) -> None:
    for number in range(1, 4):
        projection.offer(seen(a_record(), number))
    page = await projection.page(ALL, NEWEST_FIRST, None, 2)
    assert (len(page.rows), page.has_more, page.total) == (2, True, 3)
    page = await projection.page(ALL, NEWEST_FIRST, None, 3)
    assert (len(page.rows), page.has_more) == (3, False)


def _ended(kind: str, state: "JobState.ValueType", after: timedelta) -> JobRecord:
    record = a_record()
    record.job.kind, record.job.state = kind, state
    record.job.end_time.FromDatetime(NOW + after)
    return record


async def test_the_newest_results_of_some_kinds_are_told_for_a_restart(projection: Projection) -> None:
    second = timedelta(seconds=1)
    wanted = [_ended("tabular_train", JOB_STATE_SUCCEEDED, number * second) for number in range(4)]
    wanted.append(_ended("tabular_distill", JOB_STATE_EVAL_FAILED, 9 * second))
    others = [
        _ended("tabular_train", JOB_STATE_FAILED, 9 * second),
        _ended("toy", JOB_STATE_SUCCEEDED, 9 * second),
        _ended("tabular_train", JOB_STATE_SUCCEEDED, -second),
        a_record(),
    ]
    for revision, record in enumerate([*wanted, *others], start=1):
        projection.offer(seen(record, revision))
    await projection.flush()
    kinds = ("tabular_train", "tabular_distill")
    assert await projection.newest_results(kinds, NOW, 10) == wanted[::-1]
    assert await projection.newest_results(kinds, NOW, 2) == wanted[:2:-1]
    assert await projection.newest_results(kinds, NOW + timedelta(minutes=1), 10) == []
