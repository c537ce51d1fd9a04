"""JobService on the wire: each method is handed to the one who does it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.explain import Explainer
from gateway.get_job import JobReader
from gateway.list_jobs import JobLister
from gateway.steering import Steering
from gateway.submit import Submitter
from gateway.tail_logs import LogTails
from gateway.watch_job import Watches
from headway.runtime.principal import current_principal
from headway.v1 import jobs_service_pb2 as messages
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2_grpc import JobServiceServicer

M_contra = TypeVar("M_contra", contravariant=True)


class Writes(Protocol[M_contra]):
    """The part of a call's context that streaming needs."""

    @property
    def write(self) -> Callable[[M_contra], Awaitable[None]]:
        """Send one message; waits while the reader is slow."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobParts:
    """Who does what."""

    submitter: Submitter
    reader: JobReader
    lister: JobLister
    steering: Steering
    watches: Watches
    tails: LogTails
    explainer: Explainer


class JobService(JobServiceServicer):
    """The callers' door for jobs."""

    def __init__(self, parts: JobParts) -> None:
        self._parts = parts

    async def CreateJob(self, request: messages.CreateJobRequest, _context: object) -> Job:  # noqa: N802 - gRPC's name
        """Validate a job and queue it."""
        return await self._parts.submitter.create(request, current_principal())

    async def GetJob(self, request: messages.GetJobRequest, _context: object) -> Job:  # noqa: N802
        """Read one job."""
        return await self._parts.reader.get(request, current_principal())

    async def ListJobs(  # noqa: N802
        self, request: messages.ListJobsRequest, _context: object
    ) -> messages.ListJobsResponse:
        """List jobs page by page."""
        return await self._parts.lister.list(request, current_principal())

    async def CancelJob(self, request: messages.CancelJobRequest, _context: object) -> Job:  # noqa: N802
        """Ask for a job to stop."""
        return await self._parts.steering.cancel(request, current_principal())

    async def PauseJob(self, request: messages.PauseJobRequest, _context: object) -> Job:  # noqa: N802
        """Ask for a job to give its host up and to wait."""
        return await self._parts.steering.pause(request, current_principal())

    async def ResumeJob(self, request: messages.ResumeJobRequest, _context: object) -> Job:  # noqa: N802
        """Let a paused job go on."""
        return await self._parts.steering.resume(request, current_principal())

    async def SetJobPriority(self, request: messages.SetJobPriorityRequest, _context: object) -> Job:  # noqa: N802
        """Set a job's base priority."""
        return await self._parts.steering.set_priority(request, current_principal())

    async def ExplainJob(  # noqa: N802
        self, request: messages.ExplainJobRequest, _context: object
    ) -> messages.ExplainJobResponse:
        """Say why a job is where it is."""
        return await self._parts.explainer.explain(request, current_principal())

    # The two streams write for themselves and yield nothing: a write must have a limit in time, which a generator
    # cannot put around its own yield.

    async def WatchJob(  # noqa: N802
        self, request: messages.WatchJobRequest, context: Writes[messages.WatchJobResponse]
    ) -> AsyncIterator[messages.WatchJobResponse]:
        """Follow a job."""
        await self._parts.watches.serve(request, current_principal(), context.write)
        for message in _NO_CHANGES:
            yield message

    async def TailLogs(  # noqa: N802
        self, request: messages.TailLogsRequest, context: Writes[messages.TailLogsResponse]
    ) -> AsyncIterator[messages.TailLogsResponse]:
        """Read a job's log."""
        await self._parts.tails.serve(request, current_principal(), context.write)
        for message in _NO_LINES:
            yield message


_NO_CHANGES: tuple[messages.WatchJobResponse, ...] = ()
_NO_LINES: tuple[messages.TailLogsResponse, ...] = ()
