"""Creates a job: validates it, then writes its record once. Safe to repeat with a request_id."""

from dataclasses import dataclass
from typing import Protocol

from gateway.job_view import JobViews
from gateway.projection.view import Projection
from gateway.queue_depth import QueueDepth
from gateway.request_body import body_digest, differing_fields
from gateway.validation.admission import admit
from gateway.validation.chain import SPEC_PATH, Draft, World, run_chain
from gateway.validation.platform_steps import DOOR_STEPS
from headway.contract.errors import HeadwayError, RequestIdReused
from headway.contract.ids import JobName, ProjectName, job_id_for, new_job_id
from headway.contract.transitions import Submission, submit
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoints_around
from headway.runtime.principal import Principal
from headway.runtime.records import RecordExists, Stored
from headway.v1.jobs_pb2 import Admission, Job
from headway.v1.jobs_service_pb2 import CreateJobRequest
from headway.v1.records_pb2 import JobRecord


class JobRecords(Protocol):
    """The two things that submitting does to the jobs bucket."""

    async def find(self, key: str) -> Stored[JobRecord] | None:
        """The newest revision; None when there is none."""
        ...

    async def create(self, key: str, value: JobRecord) -> int:
        """Write a record that must not exist; raises RecordExists."""
        ...


class ChecksRoom(Protocol):
    """Knows whether another job may be written."""

    def check(self) -> None:
        """Return when there is room; raises DiskFull or StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Submitter:
    """Creates jobs.

    Attributes:
        records: the jobs bucket.
        projection: knows which jobs exist, as of a moment ago.
        queue: counts queued jobs.
        views: turns records into jobs.
        world: what the validation may look at.
        clock: for the time of admission.
        room: for the record, on the disks and in the bucket.
    """

    records: JobRecords
    projection: Projection
    queue: QueueDepth
    views: JobViews
    world: World
    clock: Clock
    room: ChecksRoom

    async def create(self, request: CreateJobRequest, principal: Principal) -> Job:
        """Validate, and unless only that was asked for, write the record.

        Returns:
            The job, durable; or the earlier job of the same request_id; or, for validate_only, what would be created.

        Raises:
            HeadwayError: of the first validation step that fails.
            RequestIdReused: the request_id belongs to another request.
            QueueFull: one queued job too many.
            DiskFull: no room for the record; nothing was written.
        """
        project = ProjectName.parse(request.parent).project
        request_id = request.request_id
        job_id = job_id_for(project, request_id) if request_id else new_job_id()
        draft = Draft(request, principal, project, job_id, self.clock.now())
        await run_chain(DOOR_STEPS, draft, self.world)
        if request.validate_only:
            admission = await admit(draft, self.world)
            return Job(spec=request.job.spec, kind=draft.kind, user_id=_user(draft), admission=admission)
        if not request_id:
            return await self._admit_and_write(draft)
        return await self._create_once(draft)

    async def _create_once(self, draft: Draft) -> Job:
        """Look for an earlier request first, so that a repeat is answered even when the world has changed since.

        The projection answers in microseconds and may miss a job of the last moments. Such a repeat is found by the
        create itself, or, when the world has changed within those moments, after the chain has refused it.
        """
        if self.projection.probably_contains(draft.job_id):
            earlier = await self.records.find(draft.job_id)
            if earlier is not None:
                return self._repeated(draft, earlier)
        try:
            return await self._admit_and_write(draft)
        except (RecordExists, HeadwayError):
            earlier = await self.records.find(draft.job_id)
            if earlier is None:
                raise
            self.queue.note(draft.job_id, earlier.value)
            return self._repeated(draft, earlier)

    async def _admit_and_write(self, draft: Draft) -> Job:
        admission = await admit(draft, self.world)
        record = submit(_submission(draft, admission), now=self.queue.place(draft.now))
        key_id = draft.principal.key_id
        self.room.check()
        self.queue.reserve(draft.job_id, draft.project, key_id)
        try:
            with failpoints_around("submit.create"):
                revision = await self.records.create(draft.job_id, record)
        except BaseException:
            # If the job does exist, its echo on the bucket's stream or the caller counts it again.
            self.queue.release(draft.job_id, draft.project, key_id)
            raise
        return self.views.finished(record, revision)

    def _repeated(self, draft: Draft, earlier: Stored[JobRecord]) -> Job:
        """The earlier job, unless another one is asked for now."""
        record = earlier.value
        if record.request_digest == body_digest(draft.request):
            return self.views.finished(record, earlier.revision)
        fields = differing_fields(record.job.spec, draft.spec, SPEC_PATH)
        raise RequestIdReused(
            f"the request_id belongs to {record.job.name}, which differs in {', '.join(fields)};"
            " take another request_id for another job",
            metadata={"job": record.job.name, "fields": ",".join(fields)},
        )


def _submission(draft: Draft, admission: Admission) -> Submission:
    request = draft.request
    return Submission(
        name=JobName(draft.project, draft.job_id).name,
        spec=draft.spec,
        kind=draft.kind,
        user_id=_user(draft),
        admission=admission,
        inputs=draft.inputs,
        model_id=draft.model_id,
        request_id=request.request_id,
        request_digest=body_digest(request) if request.request_id else "",
        key_id=draft.principal.key_id,
    )


def _user(draft: Draft) -> str:
    return draft.spec.user_id or draft.principal.user_id
