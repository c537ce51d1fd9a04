"""ListJobs: pages, filters, rights and sizes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.job_view import JobViews
from gateway.list_jobs import PAGE_MAX_BYTES, JobLister
from gateway.projection.view import Projection
from gateway.watch_hub import WatchHub
from headway.contract.errors import InvalidFilter, InvalidName, InvalidPageToken, OutOfRange, PermissionDenied
from headway.contract.limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from headway.testing.clock import ManualClock
from headway.v1.job_specs_pb2 import CustomSpec, JobSpec
from headway.v1.jobs_service_pb2 import ListJobsRequest, ListJobsResponse
from tests.proto_fields import with_fields
from tests.unit.gateway.builders import (
    NOW,
    NoHosts,
    a_principal,
    a_record,
    a_spec,
    seen,
)


@dataclass
class Shelf:
    """A list, and what is put into it."""

    lister: JobLister
    projection: Projection
    num_put: int = 0

    def put(self, num_jobs: int, spec: JobSpec | None = None) -> None:
        for _ in range(num_jobs):
            self.num_put += 1
            record = a_record(spec, now=NOW + timedelta(seconds=self.num_put))
            self.projection.offer(seen(record, self.num_put))

    async def list(self, **fields: object) -> ListJobsResponse:
        request = with_fields(ListJobsRequest(parent="projects/demo"), fields)
        return await self.lister.list(request, a_principal())


@pytest.fixture
async def shelf(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Shelf]:
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(NOW)
    yield Shelf(JobLister(projection, JobViews(WatchHub(), NoHosts(), clock)), projection)
    await projection.aclose()


async def test_the_newest_come_first_and_the_default_page_has_50(shelf: Shelf) -> None:
    shelf.put(60)
    page = await shelf.list()
    assert (len(page.jobs), page.total_size) == (PAGE_SIZE_DEFAULT, 60)
    times = [job.create_time.ToDatetime() for job in page.jobs]
    assert times == sorted(times, reverse=True)
    assert all(job.etag and job.wait_reason for job in page.jobs)


async def test_pages_put_together_are_the_list_also_while_jobs_are_added(shelf: Shelf) -> None:
    shelf.put(25)
    whole = [job.name for job in (await shelf.list()).jobs]
    paged: list[str] = []
    token = ""
    while True:
        page = await shelf.list(page_size=7, page_token=token)
        paged += [job.name for job in page.jobs]
        shelf.put(3)
        token = page.next_page_token
        if not token:
            break
    assert paged == whole


async def test_the_last_page_has_no_token(shelf: Shelf) -> None:
    shelf.put(10)
    assert (await shelf.list(page_size=10)).next_page_token == ""
    assert (await shelf.list(page_size=9)).next_page_token != ""


async def test_a_page_is_never_too_large_to_be_sent(shelf: Shelf) -> None:
    custom = CustomSpec(kind="toy")
    custom.spec.update({"text": "x" * 100_000})
    shelf.put(50, JobSpec(custom=custom))
    page = await shelf.list()
    assert 0 < page.ByteSize() < PAGE_MAX_BYTES + 200_000
    names, token = [job.name for job in page.jobs], page.next_page_token
    while token:
        page = await shelf.list(page_token=token)
        names += [job.name for job in page.jobs]
        token = page.next_page_token
    assert len(names) == len(set(names)) == 50


async def test_sizes_are_bounded_by_aip_158(shelf: Shelf) -> None:
    shelf.put(PAGE_SIZE_MAX + 1)
    assert len((await shelf.list(page_size=PAGE_SIZE_MAX + 500)).jobs) == PAGE_SIZE_MAX
    with pytest.raises(OutOfRange) as caught:
        await shelf.list(page_size=-1)
    assert caught.value.violations[0].field == "page_size"


async def test_a_token_belongs_to_its_filter_and_order(shelf: Shelf) -> None:
    shelf.put(5)
    token = (await shelf.list(page_size=2)).next_page_token
    for fields in ({"filter": "state = QUEUED"}, {"order_by": "priority"}, {"parent": "projects/demo2"}):
        with pytest.raises((InvalidPageToken, PermissionDenied)):
            await shelf.list(page_token=token, **fields)
    # Another size is no other list.
    assert len((await shelf.list(page_size=3, page_token=token)).jobs) == 3


async def test_filters_narrow_page_and_total(shelf: Shelf) -> None:
    shelf.put(3, a_spec(tags=["red"]))
    shelf.put(4)
    page = await shelf.list(filter="tags : red")
    assert (len(page.jobs), page.total_size) == (3, 3)


async def test_bad_arguments_are_refused(shelf: Shelf) -> None:
    with pytest.raises(InvalidFilter):
        await shelf.list(filter="nonsense")
    with pytest.raises(InvalidFilter):
        await shelf.list(order_by="nonsense")
    with pytest.raises(InvalidName):
        await shelf.list(parent="demo")


async def test_a_foreign_project_and_an_unused_one_get_the_same_answer_p29(shelf: Shelf) -> None:
    messages = set()
    for project in ("theirs", "nobody-uses-this"):
        with pytest.raises(PermissionDenied) as caught:
            await shelf.list(parent=f"projects/{project}")
        messages.add((caught.value.message, str(caught.value.metadata)))
    assert len(messages) == 1
