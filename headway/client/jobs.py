"""Jobs: submit, read, steer, watch."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import grpc.aio

from headway.client.downloads import Downloads
from headway.client.log_lines import follow_lines
from headway.client.names import job_name, project_name
from headway.client.retries import Patience
from headway.client.uploads import Progress, ignore
from headway.client.watch import Notice, Watch
from headway.contract.errors import NotFound
from headway.contract.states import is_terminal
from headway.runtime.clock import Clock
from headway.runtime.remote_error import answer
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import Checkpoint, Job
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    ExplainJobRequest,
    ExplainJobResponse,
    GetJobRequest,
    ListJobsRequest,
    LogLine,
    PauseJobRequest,
    ResumeJobRequest,
    SetJobPriorityRequest,
    TailLogsRequest,
    WatchJobResponse,
)
from headway.v1.jobs_service_pb2_grpc import JobServiceStub

_READ_SECONDS = 10.0
_CREATE_SECONDS = 30.0


class Jobs:
    """The jobs of one project. Methods take a full resource name or a bare job id."""

    def __init__(self, channel: grpc.aio.Channel, project: str, clock: Clock) -> None:
        self._channel = channel
        self._stub = JobServiceStub(channel)
        self._project = project
        self._clock = clock

    async def create(self, spec: JobSpec, *, request_id: str | None = None) -> Job:
        """Validate and queue a job; returns when it is on disk.

        Args:
            spec: what to train.
            request_id: makes the call safe to repeat: the same id and spec give the same job.

        Raises:
            RemoteError: refused, with every violation of the first step that failed; nothing was queued.
        """
        request = self._create_request(spec)
        if request_id is not None:
            request.request_id = request_id
        return await answer(self._stub.CreateJob(request, timeout=_CREATE_SECONDS))

    async def validate(self, spec: JobSpec) -> Job:
        """Run the whole validation and queue nothing.

        Returns:
            A job without a name, whose `admission` says what would happen.

        Raises:
            RemoteError: it would be refused, with the violations.
        """
        request = self._create_request(spec)
        request.validate_only = True
        return await answer(self._stub.CreateJob(request, timeout=_CREATE_SECONDS))

    async def get(self, job: str) -> Job:
        """Read one job; raises RemoteError with NOT_FOUND."""
        return await answer(self._stub.GetJob(GetJobRequest(name=self._name(job)), timeout=_READ_SECONDS))

    async def list(self, *, filter_text: str = "", order_by: str = "", page_size: int = 100) -> AsyncIterator[Job]:
        """Every job that matches, newest first unless ordered otherwise; reads page by page.

        Args:
            filter_text: AIP-160, such as `state = RUNNING AND kind = tabular_train`.
            order_by: such as `priority desc`.
            page_size: jobs a page, at most 1000.
        """
        request = ListJobsRequest(
            parent=project_name(self._project), filter=filter_text, order_by=order_by, page_size=page_size
        )
        while True:
            page = await answer(self._stub.ListJobs(request, timeout=_READ_SECONDS))
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel(self, job: str, *, message: str = "", etag: str = "") -> Job:
        """Ask a job to stop; once this returns it never succeeds. Idempotent."""
        request = CancelJobRequest(name=self._name(job), message=message, etag=etag)
        return await answer(self._stub.CancelJob(request, timeout=_READ_SECONDS))

    async def pause(self, job: str, *, message: str = "", etag: str = "") -> Job:
        """Ask a job to give its host up and to wait until it is resumed. Idempotent; does not wait for the host.

        Returns:
            The job: PAUSED when no host held it, else PAUSING. It may still succeed, if its last step was done.

        Raises:
            RemoteError: INVALID_TRANSITION when it is being cancelled, or over.
        """
        request = PauseJobRequest(name=self._name(job), message=message, etag=etag)
        return await answer(self._stub.PauseJob(request, timeout=_READ_SECONDS))

    async def resume(self, job: str, *, message: str = "", etag: str = "") -> Job:
        """Let a paused job go on from its checkpoint, or from the beginning where it has none. Idempotent.

        Returns:
            The job: QUEUED, or PAUSING while its host still stops; it is then queued by itself.

        Raises:
            RemoteError: INVALID_TRANSITION when it is being cancelled, or over.
        """
        request = ResumeJobRequest(name=self._name(job), message=message, etag=etag)
        return await answer(self._stub.ResumeJob(request, timeout=_READ_SECONDS))

    async def set_priority(self, job: str, priority: int, *, message: str = "", etag: str = "") -> Job:
        """Give a job another place in the queue, at once or when it is queued again. Idempotent.

        Args:
            job: name or id.
            priority: -100 to 100, higher first.
            message: why, for the job's history.
            etag: do it only if the job has not changed since; empty for always.

        Raises:
            RemoteError: INVALID_TRANSITION when it is over; OUT_OF_RANGE.
        """
        request = SetJobPriorityRequest(name=self._name(job), priority=priority, message=message, etag=etag)
        return await answer(self._stub.SetJobPriority(request, timeout=_READ_SECONDS))

    async def explain(self, job: str) -> ExplainJobResponse:
        """Say in words where a job stands, with the verdict on every host."""
        request = ExplainJobRequest(name=self._name(job))
        return await answer(self._stub.ExplainJob(request, timeout=_READ_SECONDS))

    async def pull_checkpoint(
        self, job: str, folder: Path, *, on_progress: Progress = ignore, patience: Patience | None = None
    ) -> Checkpoint:
        """Bring the newest checkpoint's files into a new folder, which appears when all are there and right.

        Of a cancelled job this is the partial model; `training` in it holds what the recipe had learned.

        Args:
            job: name or id.
            folder: must not exist, unless it already holds exactly this checkpoint.
            on_progress: told the file, bytes done and bytes in all.
            patience: how long a gateway may stay silent; a download goes on where it broke.

        Raises:
            NotFound: the job has no checkpoint.
            FolderInUse: the folder exists with other content; nothing was changed.
            RemoteError: unknown job, bad bytes, or the gateway stayed away.
            OSError: the disk refused.
        """
        found = await self.get(job)
        if not found.HasField("checkpoint"):
            raise NotFound(f"{found.name} has no checkpoint: nothing of it was saved, or its kind keeps none")
        parent = project_name(found.name.split("/")[1])
        downloads = Downloads(self._channel, parent, self._clock, patience or Patience())
        await downloads.fetch_bundle(found.checkpoint.bundle, folder, on_progress)
        return found.checkpoint

    def watch(
        self,
        job: str,
        *,
        resume_token: str = "",
        patience: Patience | None = None,
        on_break: Notice | None = None,
    ) -> AsyncGenerator[WatchJobResponse, None]:
        """Follow a job until it ends, over restarts of the gateway.

        Args:
            job: name or id.
            resume_token: of the last message that was read before; empty begins with a snapshot.
            patience: how long a gateway may stay silent.
            on_break: called when the stream broke and is being opened again.

        Returns:
            Every transition once and in order, the newest progress, heartbeats. Ends after the terminal transition.
        """
        watch = Watch(self._stub, self._clock, patience or Patience(), on_break)
        return watch.follow(self._name(job), resume_token)

    async def wait(
        self, job: str, *, until: Callable[[Job], bool] | None = None, patience: Patience | None = None
    ) -> Job:
        """Wait until a job has ended and return it; put `asyncio.timeout` around it to wait for so long only.

        Args:
            job: name or id.
            until: what to wait for instead, such as `lambda job: job.state == JOB_STATE_PAUSED`; a job that has ended
                is returned in any case.
            patience: how long a gateway may stay silent.
        """

        def is_enough(told: Job) -> bool:
            return is_terminal(told.state) or (until is not None and until(told))

        found = await self.get(job)
        if is_enough(found):
            return found
        async with aclosing(self.watch(job, patience=patience)) as messages:
            async for message in messages:
                update = message.WhichOneof("update")
                if update == "change" and is_enough(message.change.job):
                    return message.change.job
                if update == "snapshot" and is_enough(message.snapshot):
                    return message.snapshot
        return await self.get(job)

    def logs(
        self, job: str, *, first_line: int = 1, follow: bool = False, patience: Patience | None = None
    ) -> AsyncGenerator[LogLine, None]:
        """The lines of a job's log, each once.

        Args:
            job: name or id.
            first_line: from 1; negative means that many lines from the end.
            follow: go on with new lines until the job ends, over restarts of the gateway.
            patience: how long a gateway may stay silent.
        """
        request = TailLogsRequest(name=self._name(job), first_line=first_line, follow=follow)
        return follow_lines(self._stub, request, self._clock, patience or Patience())

    def _name(self, job: str) -> str:
        return job_name(self._project, job)

    def _create_request(self, spec: JobSpec) -> CreateJobRequest:
        return CreateJobRequest(parent=project_name(self._project), job=Job(spec=spec))
