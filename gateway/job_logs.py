"""The log lines of each job: one append-only file a job, written by telemetry, read from any line on."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gateway.log_file import LogFile
from headway.contract.ids import JobName
from headway.contract.limits import LOG_LINES_PER_MESSAGE_MAX
from headway.v1.jobs_service_pb2 import LogLine

T = TypeVar("T")

FILES_KEPT_OPEN = 256
"""Jobs whose line index stays in memory; others are read through again when asked for."""


class JobLogs:
    """Logs of all jobs. Blocking work runs in one thread, so appends and reads of a job never overlap."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: of the log files; made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: OrderedDict[str, LogFile] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._listeners: dict[str, set[asyncio.Event]] = {}

    async def aclose(self) -> None:
        """Let the thread finish."""
        self._thread.shutdown(wait=True)

    async def append(self, job_name: str, attempt: int, lines: Sequence[LogLine]) -> int:
        """Keep new lines; those whose number their attempt has had already are dropped.

        Args:
            job_name: `projects/{project}/jobs/{job}`.
            attempt: that wrote them.
            lines: in order.

        Returns:
            How many were kept.

        Raises:
            InvalidName: not the name of a job.
        """
        job_id = JobName.parse(job_name).job_id
        num_kept = await self._run(lambda: self._file(job_id).append(attempt, lines))
        if num_kept:
            for listener in self._listeners.get(job_id, ()):
                listener.set()
        return num_kept

    async def remove(self, job_id: str) -> None:
        """Delete a job's log; no error when there is none. Nobody may write to it any more."""
        await self._run(lambda: self._remove(job_id))

    async def read(self, job_id: str, first_line: int) -> tuple[list[LogLine], int]:
        """Lines from a position on, at most 500.

        Args:
            job_id: a checked job id.
            first_line: position in the job's log, from 1; negative counts from the end.

        Returns:
            The lines, and the position behind them.
        """
        return await self._run(lambda: self._file(job_id).read(first_line, LOG_LINES_PER_MESSAGE_MAX))

    @contextmanager
    def listening(self, job_id: str, event: asyncio.Event) -> Iterator[None]:
        """Set `event` whenever the job's log grows."""
        listeners = self._listeners.setdefault(job_id, set())
        listeners.add(event)
        try:
            yield
        finally:
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(job_id, None)

    def _remove(self, job_id: str) -> None:
        self._files.pop(job_id, None)
        (self._folder / f"{job_id}.jsonl").unlink(missing_ok=True)

    def _file(self, job_id: str) -> LogFile:
        file = self._files.get(job_id)
        if file is None:
            file = self._files[job_id] = LogFile(self._folder / f"{job_id}.jsonl")
            if len(self._files) > FILES_KEPT_OPEN:
                self._files.popitem(last=False)
        self._files.move_to_end(job_id)
        return file

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
