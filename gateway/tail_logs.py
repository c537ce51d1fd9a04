"""One reading of a job's log: from any line, and on for as long as the job lasts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from gateway.find_job import FindsJobs, find_job
from gateway.job_logs import JobLogs
from gateway.watch_hub import Mailbox, WatchHub
from headway.contract.errors import WatchLagged
from headway.contract.ids import JobName
from headway.contract.states import is_terminal
from headway.runtime.clock import Clock
from headway.runtime.principal import Principal
from headway.v1.jobs_service_pb2 import TailLogsRequest, TailLogsResponse

WriteLines = Callable[[TailLogsResponse], Awaitable[None]]

LINGER_SECONDS = 1.0
"""After the job's end a follower waits this long for the last lines, which come by another way than the result."""

_IDLE_SECONDS = 60.0
_COME_BACK_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LogTails:
    """Serves TailLogs.

    Attributes:
        records: the jobs bucket.
        logs: has the lines.
        hub: tells of the job's end.
        clock: for the wait after it.
        write_seconds: a follower that does not read for this long is cut off; a batch of lines takes up to 2 MiB.
    """

    records: FindsJobs
    logs: JobLogs
    hub: WatchHub
    clock: Clock
    write_seconds: float = 30.0

    async def serve(self, request: TailLogsRequest, principal: Principal, write: WriteLines) -> None:
        """Write the lines asked for; with `follow`, returns a moment after the job's end.

        Raises:
            NotFound: no such job, or none that the key may see.
            ServiceUnavailable: the gateway is stopping.
            TooManyWatches: the key follows as many jobs as it may.
            WatchLagged: the caller does not read.
        """
        job_id = JobName.parse(request.name).job_id
        with self.hub.watching(job_id, principal.key_id) as mailbox:
            stored = await find_job(self.records, request.name, principal)
            position = await self._write_present(job_id, request.first_line or 1, write)
            if request.follow:
                await self._follow(mailbox, job_id, position, write, is_over=is_terminal(stored.value.job.state))

    async def _follow(self, mailbox: Mailbox, job_id: str, position: int, write: WriteLines, *, is_over: bool) -> None:
        with self.logs.listening(job_id, mailbox.changed):
            while True:
                position = await self._write_present(job_id, position, write)
                seconds = LINGER_SECONDS if is_over else _IDLE_SECONDS
                if not await self.clock.wait_for_event(mailbox.changed, seconds):
                    if is_over:
                        return
                    continue
                revision, _ = mailbox.take()
                if revision is not None and is_terminal(revision.record.job.state):
                    is_over = True

    async def _write_present(self, job_id: str, position: int, write: WriteLines) -> int:
        """Write all lines that there are from a position on; returns the position behind them."""
        while True:
            lines, position = await self.logs.read(job_id, position)
            if not lines:
                return position
            await self._send(TailLogsResponse(lines=lines), position - len(lines), write)

    async def _send(self, message: TailLogsResponse, first_line: int, write: WriteLines) -> None:
        scope = asyncio.timeout(self.write_seconds)
        try:
            async with scope:
                await write(message)
        except TimeoutError:
            if not scope.expired():
                raise
            raise WatchLagged(
                f"the lines are not read; go on from line {first_line}",
                metadata={"first_line": str(first_line)},
                retry_after=_COME_BACK_AFTER,
            ) from None
