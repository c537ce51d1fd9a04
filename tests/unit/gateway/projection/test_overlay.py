"""Lists while the disk takes no rows: they show what was seen last, and the file gets it when there is room (P28)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.projection.filter_sql import Condition
from gateway.projection.order import Order
from gateway.projection.rows import JobSeen
from gateway.projection.table import JobTable
from gateway.projection.view import Projection
from headway.contract.errors import DiskFull
from headway.contract.transitions import request_cancel
from headway.testing.clock import ManualClock
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED
from tests.unit.gateway.builders import NOW, PROJECT, a_record, seen

ALL = Condition("project = ?", (PROJECT,))
CANCELLED = Condition("project = ? AND state = ?", (PROJECT, JOB_STATE_CANCELLED))
NEWEST_FIRST = Order("create_time", is_descending=True)


@pytest.fixture
async def projection(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Projection]:
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(NOW)
    yield projection
    await projection.aclose()


async def ids(projection: Projection, condition: Condition = ALL) -> list[str]:
    page = await projection.page(condition, NEWEST_FIRST, None, 100)
    assert page.total == len(page.rows)
    return sorted(row.job_id for row in page.rows)


async def test_a_list_shows_what_the_disk_does_not_take_and_the_file_gets_it_later_p28(
    projection: Projection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, gone = a_record(), a_record(), a_record()
    job_ids = [record.job.name.rpartition("/")[2] for record in (old, new, gone)]
    projection.offer(seen(old, 1))
    projection.offer(seen(gone, 2))
    assert await ids(projection) == sorted([job_ids[0], job_ids[2]])

    def full(_table: JobTable, _batch: list[JobSeen], _last_sequence: int) -> None:
        raise DiskFull("full")

    with monkeypatch.context() as patch:
        patch.setattr(JobTable, "apply", full)
        projection.offer(seen(new, 3))
        assert await ids(projection) == sorted(job_ids)
        cancelled = request_cancel(old, now=NOW, message="")
        assert cancelled is not None
        projection.offer(seen(cancelled, 4))
        projection.offer(JobSeen(job_ids[2], 5, None, b""))
        assert await ids(projection) == sorted(job_ids[:2])
        assert await ids(projection, CANCELLED) == [job_ids[0]]
        assert {row.job_id for row in await projection.queued()} == {job_ids[1]}
        # The follower must not wait for a disk: it would fall behind, and with it every watch.
        assert not projection.is_crowded
    assert await projection._run(projection._table.position) == (NOW, 2)

    projection.offer(seen(new, 6))
    assert await ids(projection) == sorted(job_ids[:2])
    assert await ids(projection, CANCELLED) == [job_ids[0]]
    assert await projection._run(projection._table.position) == (NOW, 6)
