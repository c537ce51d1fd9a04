"""Cancels, pauses, resumes and prioritises jobs: a caller's wish becomes one compare-and-set of the job's record.

Once a cancellation is acknowledged the job never succeeds (P21). Nothing here waits for a host: the scheduler brings
the job to where it is wanted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from gateway.job_view import JobViews, etag_of
from gateway.rights import no_such_job
from headway.contract.errors import EtagMismatch, OutOfRange, Violation
from headway.contract.ids import JobName
from headway.contract.limits import PRIORITY_MAX, PRIORITY_MIN, WISH_MESSAGE_MAX_CHARACTERS
from headway.contract.pausing import request_pause, request_resume
from headway.contract.priority import request_priority
from headway.contract.transitions import request_cancel
from headway.runtime.clock import Clock
from headway.runtime.principal import Principal
from headway.runtime.records import Conflict, RecordMissing, Records, Stored
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import CancelJobRequest, PauseJobRequest, ResumeJobRequest, SetJobPriorityRequest
from headway.v1.records_pb2 import JobRecord

Request = CancelJobRequest | PauseJobRequest | ResumeJobRequest | SetJobPriorityRequest


class Wish(Protocol):
    """A pure change of a record that a caller asks for."""

    def __call__(self, record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
        """The record with the wish; None when it is fulfilled already; raises InvalidTransition."""
        ...


@dataclass(frozen=True, slots=True)
class Steering:
    """Records what callers want of jobs. Each wish is idempotent, and raises the same.

    NotFound: no such job, or none that the key may see. InvalidTransition: its state does not allow it. EtagMismatch:
    an etag was given and the job has changed since; nothing was written. OutOfRange: the message is too long, or a
    priority is none.

    Attributes:
        records: the jobs bucket.
        views: turns records into jobs.
        clock: for the time of the wish.
    """

    records: Records[JobRecord]
    views: JobViews
    clock: Clock

    async def cancel(self, request: CancelJobRequest, principal: Principal) -> Job:
        """Stop for good."""
        return await self._record(request_cancel, request, principal)

    async def pause(self, request: PauseJobRequest, principal: Principal) -> Job:
        """Give the host up and wait."""
        return await self._record(request_pause, request, principal)

    async def resume(self, request: ResumeJobRequest, principal: Principal) -> Job:
        """Go on."""
        return await self._record(request_resume, request, principal)

    async def set_priority(self, request: SetJobPriorityRequest, principal: Principal) -> Job:
        """Wait at another place in the queue."""
        _check_priority(request.priority)

        def wish(record: JobRecord, *, message: str, now: datetime) -> JobRecord | None:
            return request_priority(record, request.priority, message=message, now=now)

        return await self._record(wish, request, principal)

    async def _record(self, wish: Wish, request: Request, principal: Principal) -> Job:
        name = JobName.parse(request.name)
        _check_message(request.message)
        if not principal.may_touch(name.project):
            raise no_such_job()
        change = partial(self._changed, name, wish, request.message)
        try:
            stored = await (
                self._at(request.etag, name.job_id, change)
                if request.etag
                else self.records.change(name.job_id, change)
            )
        except RecordMissing:
            raise no_such_job() from None
        return self.views.finished(stored.value, stored.revision)

    async def _at(self, etag: str, job_id: str, change: Callable[[JobRecord], JobRecord | None]) -> Stored[JobRecord]:
        stored = await self.records.get(job_id)
        changed = change(stored.value)
        if changed is None:
            # The wish is fulfilled already: a repeat is answered, although the first call has changed the etag.
            return stored
        if etag != etag_of(stored.revision):
            raise _etag_mismatch(etag_of(stored.revision))
        try:
            revision = await self.records.update(job_id, changed, stored.revision)
        except Conflict:
            raise _etag_mismatch("") from None
        return Stored(job_id, changed, revision, self.clock.now())

    def _changed(self, name: JobName, wish: Wish, message: str, record: JobRecord) -> JobRecord | None:
        if record.job.name != name.name:
            raise no_such_job()
        return wish(record, message=message, now=self.clock.now())


def _check_message(message: str) -> None:
    if len(message) <= WISH_MESSAGE_MAX_CHARACTERS:
        return
    fault = f"the message has {len(message)} characters"
    allowed = f"at most {WISH_MESSAGE_MAX_CHARACTERS} characters"
    raise OutOfRange(fault, violations=[Violation("message", OutOfRange.reason, fault, allowed)])


def _check_priority(priority: int) -> None:
    if PRIORITY_MIN <= priority <= PRIORITY_MAX:
        return
    fault = f"{priority} is out of range"
    allowed = f"{PRIORITY_MIN} to {PRIORITY_MAX}"
    raise OutOfRange(f"the priority {fault}", violations=[Violation("priority", OutOfRange.reason, fault, allowed)])


def _etag_mismatch(current: str) -> EtagMismatch:
    return EtagMismatch(
        "the job has changed since that etag; read it and decide again", metadata={"etag": current} if current else {}
    )
