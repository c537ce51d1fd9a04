"""One watch: the job's snapshot, then every transition once and in order, progress as it comes, and signs of life."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.find_job import FindsJobs, find_job
from gateway.job_view import JobViews
from gateway.watch_hub import Mailbox, Revision, WatchHub
from gateway.watch_token import read_watch_token, write_watch_token
from headway.contract.errors import WatchLagged
from headway.contract.ids import JobName
from headway.contract.states import is_terminal
from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.runtime.principal import Principal
from headway.v1.jobs_service_pb2 import Heartbeat, JobChange, WatchJobRequest, WatchJobResponse

_COME_BACK_AFTER = timedelta(seconds=1)
"""Whoever was cut may come back at once; a second keeps one that never reads from costing more than that."""

Write = Callable[[WatchJobResponse], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchTimes:
    """How long a watch waits.

    Attributes:
        heartbeat_seconds: silence after which the watcher gets a sign of life.
        write_seconds: a watcher that does not read for this long is cut off. Its buffers take about 4 MiB before
            that clock even starts.
    """

    heartbeat_seconds: float = 15.0
    write_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Watches:
    """Serves WatchJob.

    Attributes:
        records: the jobs bucket.
        hub: hands over what happens.
        views: turns records into jobs.
        clock: for heartbeats.
        times: see there.
    """

    records: FindsJobs
    hub: WatchHub
    views: JobViews
    clock: Clock
    times: WatchTimes

    async def serve(self, request: WatchJobRequest, principal: Principal, write: Write) -> None:
        """Tell the watcher everything; returns after the terminal transition.

        Raises:
            NotFound: no such job, or none that the key may see.
            ResumeTokenExpired: the token leads nowhere.
            WatchLagged: the watcher does not read, or reads more slowly than history is forgotten.
            ServiceUnavailable: the gateway is stopping.
            TooManyWatches: the key has as many as it may.
        """
        job_id = JobName.parse(request.name).job_id
        with self.hub.watching(job_id, principal.key_id) as mailbox:
            # The mailbox is open before the record is read, so nothing can happen between the two unseen.
            stored = await find_job(self.records, request.name, principal)
            watch = _Watch(self, job_id, write)
            if await watch.begin(Revision(stored.value, stored.revision), request.resume_token):
                await watch.follow(mailbox)


class _Watch:
    """The state of one watch: how far it has told."""

    def __init__(self, watches: Watches, job_id: str, write: Write) -> None:
        self._views = watches.views
        self._clock = watches.clock
        self._times = watches.times
        self._job_id = job_id
        self._write = write
        self._told = 0
        self._written_token = ""

    async def begin(self, revision: Revision, token: str) -> bool:
        """Tell the snapshot, or what happened since the token; returns whether there is more to come."""
        job = revision.record.job
        if token:
            self._told = read_watch_token(token, self._job_id, job)
            await self._tell_changes(revision)
        else:
            self._told = job.transitions[-1].number if job.transitions else 0
            await self._send(WatchJobResponse(snapshot=self._views.copy_of(revision.record, revision.number)))
        return not is_terminal(job.state)

    async def follow(self, mailbox: Mailbox) -> None:
        """Tell what comes, until the job is over."""
        while True:
            if not await self._clock.wait_for_event(mailbox.changed, self._times.heartbeat_seconds):
                await self._send(WatchJobResponse(heartbeat=Heartbeat(send_time=timestamp(self._clock.now()))))
                continue
            revision, progress = mailbox.take()
            if revision is not None:
                await self._tell_changes(revision)
                if is_terminal(revision.record.job.state):
                    return
            if progress is not None:
                await self._send(WatchJobResponse(progress=progress))

    async def _tell_changes(self, revision: Revision) -> None:
        fresh = [transition for transition in revision.record.job.transitions if transition.number > self._told]
        if not fresh:
            return
        # What later checkpoints have replaced is let go first, so a gap may be anywhere between.
        if len(fresh) != fresh[-1].number - self._told:
            raise self._lagged("more happened to the job than its history keeps while the watcher did not read")
        job = self._views.copy_of(revision.record, revision.number)
        for transition in fresh:
            self._told = transition.number
            await self._send(WatchJobResponse(change=JobChange(transition=transition, job=job)))

    async def _send(self, message: WatchJobResponse) -> None:
        message.resume_token = write_watch_token(self._job_id, self._told)
        scope = asyncio.timeout(self._times.write_seconds)
        try:
            async with scope:
                await self._write(message)
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._lagged("the watcher does not read") from None
        self._written_token = message.resume_token

    def _lagged(self, why: str) -> WatchLagged:
        # Everything written before arrives before this error does, so the token skips nothing.
        return WatchLagged(
            f"{why}; go on from the resume token",
            metadata={"resume_token": self._written_token} if self._written_token else {},
            retry_after=_COME_BACK_AFTER,
        )
