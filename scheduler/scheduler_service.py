"""SchedulerService: translates RPCs to the parts that decide, and decides nothing."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

import grpc

from headway.contract.access import may_touch
from headway.contract.errors import NoGpuHost, NotFound
from headway.contract.ids import JobName
from headway.contract.modes import Wish
from headway.runtime.clock import Clock
from headway.runtime.principal import current_principal
from headway.runtime.records import Records
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.records_pb2 import JobRecord
from headway.v1.scheduler_service_pb2 import (
    ExplainRequest,
    SelectModeRequest,
    SelectModeResponse,
    SynchronizeRequest,
    SynchronizeResponse,
)
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer
from scheduler.cluster_view import ClusterView, Moment
from scheduler.explain import explain_queued, explain_settled
from scheduler.job_index import LiveJob
from scheduler.mode_selection import select_for
from scheduler.snapshot import QueuedJob
from scheduler.synchronize import Synchronizer


class Leads(Protocol):
    """Who knows whether this process leads."""

    def check(self) -> None:
        """Return when it leads and has recovered; raise NotLeader or ServiceUnavailable otherwise."""
        ...

    async def synchronizer(self) -> Synchronizer:
        """Where hosts are heard, once that can be; raises NotLeader."""
        ...


class SchedulerService(SchedulerServiceServicer):
    """The three methods."""

    def __init__(
        self,
        view: ClusterView,
        leadership: Leads,
        records: Records[JobRecord],
        clock: Clock,
    ) -> None:
        self._view = view
        self._leadership = leadership
        self._records = records
        self._clock = clock

    async def Synchronize(  # noqa: N802 - named by the proto.
        self,
        request_iterator: AsyncIterator[SynchronizeRequest],
        _context: grpc.aio.ServicerContext[SynchronizeRequest, SynchronizeResponse],
    ) -> AsyncGenerator[SynchronizeResponse, None]:
        """Hold a host's conversation. A host that calls during recovery waits: nothing could be said to it yet."""
        synchronizer = await self._leadership.synchronizer()
        conversation = synchronizer.converse(request_iterator, current_principal())
        async with aclosing(conversation):
            async for response in conversation:
                # After a freeze the answer may be that of a leader that was.
                self._leadership.check()
                yield response

    async def SelectMode(  # noqa: N802 - named by the proto.
        self, request: SelectModeRequest, _context: grpc.aio.ServicerContext[SelectModeRequest, SelectModeResponse]
    ) -> SelectModeResponse:
        """Say where a job would run now."""
        self._leadership.check()
        wish = Wish(request.execution_mode, request.require_gpu, "", request.kind)
        selection = select_for(wish, self._view.default_mode, self._view.snapshot().hosts)
        if isinstance(selection, NoGpuHost):
            raise selection
        return SelectModeResponse(mode=selection.mode, fallback_reason=selection.fallback_reason)

    async def Explain(  # noqa: N802 - named by the proto.
        self, request: ExplainRequest, _context: grpc.aio.ServicerContext[ExplainRequest, ExplainJobResponse]
    ) -> ExplainJobResponse:
        """Say why a job waits."""
        self._leadership.check()
        name = JobName.parse(request.job, field="job")
        if not may_touch(current_principal().projects, name.project):
            raise _not_found(name)
        live = self._view.jobs.find(name.job_id)
        if live is None:
            stored = await self._records.find(name.job_id)
            if stored is None or stored.value.job.name != name.name:
                raise _not_found(name)
            # The feed may be a moment behind the caller.
            self._view.put_job(name.job_id, stored.revision, stored.value, self._now())
            live = self._view.jobs.find(name.job_id)
            if live is None:
                return explain_settled(stored.value.job, now=self._clock.now())
        if live.record.job.name != name.name:
            raise _not_found(name)
        return self._explain_live(live)

    def _explain_live(self, live: LiveJob) -> ExplainJobResponse:
        now = self._now()
        if not isinstance(live.view, QueuedJob):
            return explain_settled(live.record.job, now=now.time)
        num_ahead = self._view.jobs.num_ahead(live.view)
        snapshot = self._view.snapshot()
        return explain_queued(live.record.job, live.view, num_ahead, snapshot, now=now.time, now_seconds=now.seconds)

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())


def _not_found(name: JobName) -> NotFound:
    return NotFound(f"{name.name} does not exist, or this key may not see it", metadata={"job": name.name})
