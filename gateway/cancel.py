"""Asks a job to stop. Once this is acknowledged the job never succeeds (P21)."""

from dataclasses import dataclass

from gateway.job_view import JobViews, etag_of
from gateway.rights import no_such_job
from headway.contract.errors import EtagMismatch, OutOfRange, Violation
from headway.contract.ids import JobName
from headway.contract.limits import CANCEL_MESSAGE_MAX_CHARACTERS
from headway.contract.transitions import request_cancel
from headway.runtime.clock import Clock
from headway.runtime.principal import Principal
from headway.runtime.records import Conflict, RecordMissing, Records, Stored
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import CancelJobRequest
from headway.v1.records_pb2 import JobRecord


@dataclass(frozen=True, slots=True)
class Canceller:
    """Cancels jobs.

    Attributes:
        records: the jobs bucket.
        views: turns records into jobs.
        clock: for the time of the wish.
    """

    records: Records[JobRecord]
    views: JobViews
    clock: Clock

    async def cancel(self, request: CancelJobRequest, principal: Principal) -> Job:
        """Record the wish; idempotent.

        Raises:
            NotFound: no such job, or none that the key may see.
            InvalidTransition: the job is over in another way.
            EtagMismatch: an etag was given and the job has changed since; nothing was written.
        """
        name = JobName.parse(request.name)
        _check_message(request.message)
        if not principal.may_touch(name.project):
            raise no_such_job()
        try:
            stored = await (self._at(name, request) if request.etag else self._whenever(name, request))
        except RecordMissing:
            raise no_such_job() from None
        return self.views.finished(stored.value, stored.revision)

    async def _whenever(self, name: JobName, request: CancelJobRequest) -> Stored[JobRecord]:
        return await self.records.change(name.job_id, lambda record: self._cancelled(record, name, request))

    async def _at(self, name: JobName, request: CancelJobRequest) -> Stored[JobRecord]:
        stored = await self.records.get(name.job_id)
        changed = self._cancelled(stored.value, name, request)
        if changed is None:
            # The wish is fulfilled already: a repeat is answered, although the first call has changed the etag.
            return stored
        if request.etag != etag_of(stored.revision):
            raise _etag_mismatch(etag_of(stored.revision))
        try:
            revision = await self.records.update(name.job_id, changed, stored.revision)
        except Conflict:
            raise _etag_mismatch("") from None
        return Stored(name.job_id, changed, revision, self.clock.now())

    def _cancelled(self, record: JobRecord, name: JobName, request: CancelJobRequest) -> JobRecord | None:
        if record.job.name != name.name:
            raise no_such_job()
        return request_cancel(record, message=request.message, now=self.clock.now())


def _check_message(message: str) -> None:
    if len(message) <= CANCEL_MESSAGE_MAX_CHARACTERS:
        return
    fault = f"the message has {len(message)} characters"
    allowed = f"at most {CANCEL_MESSAGE_MAX_CHARACTERS} characters"
    raise OutOfRange(fault, violations=[Violation("message", OutOfRange.reason, fault, allowed)])


def _etag_mismatch(current: str) -> EtagMismatch:
    return EtagMismatch(
        "the job has changed since that etag; read it and decide again", metadata={"etag": current} if current else {}
    )
