"""A gateway whose streams do what a test wrote down: real gRPC, scripted answers."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from headway.client import HeadwayClient
from headway.contract.errors import Code
from headway.runtime.clock import SystemClock
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    ExplainJobRequest,
    ExplainJobResponse,
    GetJobRequest,
    ListJobsRequest,
    ListJobsResponse,
    PauseJobRequest,
    ResumeJobRequest,
    SetJobPriorityRequest,
    TailLogsRequest,
    TailLogsResponse,
    WatchJobRequest,
    WatchJobResponse,
)
from headway.v1.jobs_service_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server


@dataclass(frozen=True)
class Broken:
    """The stream ends with an error."""

    code: Code
    reason: str


class InstantClock(SystemClock):
    """Sleeps are written down, not slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class ScriptedJobs(JobServiceServicer):
    """Each call takes the next script: messages, then perhaps an error. What was asked is kept."""

    watches: list[Sequence[WatchJobResponse | Broken]] = field(default_factory=list)
    logs: list[Sequence[TailLogsResponse | Broken]] = field(default_factory=list)
    job: Job = field(default_factory=Job)
    tokens: list[str] = field(default_factory=list)
    first_lines: list[int] = field(default_factory=list)

    async def WatchJob(  # noqa: N802 - gRPC's name
        self,
        request: WatchJobRequest,
        context: grpc.aio.ServicerContext[WatchJobRequest, WatchJobResponse],
    ) -> AsyncIterator[WatchJobResponse]:
        self.tokens.append(request.resume_token)
        for step in self.watches.pop(0):
            if isinstance(step, Broken):
                await context.abort_with_status(_status(step))
            yield step

    async def TailLogs(  # noqa: N802 - gRPC's name
        self,
        request: TailLogsRequest,
        context: grpc.aio.ServicerContext[TailLogsRequest, TailLogsResponse],
    ) -> AsyncIterator[TailLogsResponse]:
        self.first_lines.append(request.first_line)
        for step in self.logs.pop(0):
            if isinstance(step, Broken):
                await context.abort_with_status(_status(step))
            yield step

    async def GetJob(self, request: GetJobRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        return self.job

    # No script has a word for these.

    async def CreateJob(self, request: CreateJobRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def ListJobs(self, request: ListJobsRequest, context: object) -> ListJobsResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def CancelJob(self, request: CancelJobRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def PauseJob(self, request: PauseJobRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def ResumeJob(self, request: ResumeJobRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def SetJobPriority(self, request: SetJobPriorityRequest, context: object) -> Job:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def ExplainJob(self, request: ExplainJobRequest, context: object) -> ExplainJobResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError


def _status(step: Broken) -> grpc.Status:
    detail = Packed()
    detail.Pack(error_details_pb2.ErrorInfo(reason=step.reason, domain="headway.dev"))
    status = status_pb2.Status(code=step.code, message="as the script says", details=[detail])
    return rpc_status.to_status(status)


@asynccontextmanager
async def scripted(jobs: ScriptedJobs, clock: SystemClock) -> AsyncGenerator[HeadwayClient]:
    """A client of a server with these scripts."""
    server = grpc.aio.server()
    add_JobServiceServicer_to_server(jobs, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with HeadwayClient.connect(f"127.0.0.1:{port}", "hw_test", clock=clock) as client:
            yield client
    finally:
        await server.stop(None)
