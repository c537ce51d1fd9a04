"""Answers ListJobs from the projection."""

from dataclasses import dataclass

from gateway.job_view import JobViews
from gateway.page_size import page_size
from gateway.projection.filter_sql import condition_for
from gateway.projection.order import parse_order
from gateway.projection.page_token import Cursor, bind, read_token, write_token
from gateway.projection.table import StoredRow
from gateway.projection.view import Projection
from gateway.rights import require_project
from headway.contract.ids import ProjectName
from headway.contract.limits import UNARY_MESSAGE_MAX_BYTES
from headway.runtime.principal import Principal
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import ListJobsRequest, ListJobsResponse
from headway.v1.records_pb2 import JobRecord

PAGE_MAX_BYTES = UNARY_MESSAGE_MAX_BYTES * 3 // 4
"""A page of jobs with long histories ends early, rather than be too large to send."""


@dataclass(frozen=True, slots=True)
class JobLister:
    """Lists jobs.

    Attributes:
        projection: has them.
        views: turns records into jobs.
    """

    projection: Projection
    views: JobViews

    async def list(self, request: ListJobsRequest, principal: Principal) -> ListJobsResponse:
        """One page.

        Raises:
            PermissionDenied: the key has no right on the project.
            OutOfRange: the page size is negative.
            InvalidFilter: filter or order_by cannot be read.
            InvalidPageToken: the token is not of this list.
        """
        project = ProjectName.parse(request.parent).project
        require_project(principal, project)
        size = page_size(request.page_size)
        condition, order = condition_for(project, request.filter), parse_order(request.order_by)
        binding = bind(project, request.filter, str(order))
        after = None
        if request.page_token:
            after = read_token(binding, request.page_token, num_values=len(order.columns))
        page = await self.projection.page(condition, order, after, size)
        rows = _fitting(page.rows)
        response = ListJobsResponse(jobs=[self._job(row) for row in rows], total_size=page.total)
        if page.has_more or len(rows) < len(page.rows):
            response.next_page_token = write_token(binding, Cursor(rows[-1].order_values, rows[-1].job_id))
        return response

    def _job(self, row: StoredRow) -> Job:
        return self.views.finished(JobRecord.FromString(row.data), row.revision)


def _fitting(rows: list[StoredRow]) -> list[StoredRow]:
    total = 0
    for number, row in enumerate(rows):
        total += len(row.data)
        if total > PAGE_MAX_BYTES and number:
            return rows[:number]
    return rows
