"""An attempt's progress and log lines to the gateway: at most ten messages a second, and never in the way of training.

The stream's only answer comes at its end, so a stream is closed every thousand lines, after 5 s without news, and when
somebody waits for the lines to be accepted; whatever was sent on a stream that broke goes out again.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from headway.contract.limits import PROGRESS_INTERVAL
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_pb2 import Progress
from headway.v1.results_service_pb2 import ReportTelemetryRequest
from trainer_host.attempt_key import AttemptKey
from trainer_host.log_buffer import LogBuffer
from trainer_host.request_stream import RequestStream, StreamOver
from trainer_host.retries import Pace

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

_log = get_logger(__name__)
_ACCEPT_AFTER_LINES = 1000
_ANSWER_SECONDS = 10.0
_QUIET_SECONDS = 5.0
_PACE = Pace(first_seconds=0.5, longest_seconds=10.0)
_REFUSALS_NEEDED = 5
"""The gateway may hear of a claim later than the host: one STALE_ATTEMPT right after an order means nothing."""
_FINAL = frozenset({"STALE_ATTEMPT", "CANCELLED", "NOT_FOUND", "PERMISSION_DENIED", "SCOPE"})


class _Stream:
    """One call of ReportTelemetry."""

    def __init__(self, results: "ResultServiceAsyncStub") -> None:
        self._requests: RequestStream[ReportTelemetryRequest] = RequestStream()
        self._call = results.ReportTelemetry(self._requests.requests())
        self._call.add_done_callback(lambda _: self._requests.close())

    async def send(self, message: ReportTelemetryRequest) -> None:
        """Send, or raise what ended the call."""
        try:
            await self._requests.send(message)
        except StreamOver:
            await self.answer()
            raise

    async def finish(self) -> None:
        """End the stream and hear that its lines were kept."""
        await self._requests.finish()
        await self.answer()

    async def answer(self) -> None:
        """Wait for the call's end, within a limit."""
        async with asyncio.timeout(_ANSWER_SECONDS):
            await answer(self._call)

    def hang_up(self) -> None:
        """Give the call up."""
        self._call.cancel()
        self._requests.close()


class AttemptTelemetry:
    """Telemetry of one attempt. `progress` and `log` only note; `run` sends and is a task of its own."""

    def __init__(self, key: AttemptKey, host: str, results: "ResultServiceAsyncStub", clock: Clock) -> None:
        self._key = key
        self._host = host
        self._results = results
        self._clock = clock
        self._progress: Progress | None = None
        self._lines = LogBuffer(key.attempt)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._urgent = asyncio.Event()
        self._is_closed = False
        self._num_failures = 0
        self._stream: _Stream | None = None

    def progress(self, progress: Progress) -> None:
        """Note the newest progress; one that was not sent yet is forgotten."""
        self._progress = progress
        self._note()

    def log(self, level: str, message: str, fields: Mapping[str, str], log_time: datetime) -> None:
        """Note a line."""
        self._lines.add(level, message, fields, log_time)
        self._note()

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything noted was accepted; False when that took longer than `timeout_seconds`."""
        self._urgent.set()
        self._news.set()
        return await self._clock.wait_for_event(self._idle, timeout_seconds)

    def close(self) -> None:
        """Nothing more will be noted; `run` sends what is left and ends."""
        self._is_closed = True
        self._urgent.set()
        self._news.set()

    async def run(self) -> None:
        """Send until closed and empty, or until the gateway says that it does not want to hear of this attempt."""
        try:
            while not (self._is_closed and self._idle.is_set()):
                if not await self._clock.wait_for_event(self._news, _QUIET_SECONDS):
                    # Nothing more to say for now: hear that what was said was kept.
                    self._urgent.set()
                self._news.clear()
                if not await self._send_all():
                    break
        finally:
            self._idle.set()
            self._hang_up()
            if self._lines.num_dropped:
                _log.warning("log lines were dropped while the gateway was away", num_lines=self._lines.num_dropped)

    def _note(self) -> None:
        if not self._is_closed:
            self._idle.clear()
            self._news.set()

    async def _send_all(self) -> bool:
        """Send what is there; False when there is no use in going on."""
        try:
            await self._send_news()
            self._num_failures = 0
        except (RemoteError, StreamOver, TimeoutError) as error:
            self._hang_up()
            return await self._note_failure(error)
        await self._clock.wait_for_event(self._urgent, PROGRESS_INTERVAL.total_seconds())
        return True

    async def _send_news(self) -> None:
        has_news = self._progress is not None or self._lines.has_unsent()
        while has_news:
            stream = self._open_stream()
            progress, self._progress = self._progress, None
            message = ReportTelemetryRequest(job=self._key.job, attempt=self._key.attempt, host=self._host)
            if progress is not None:
                message.progress.CopyFrom(progress)
            message.lines.extend(self._lines.take_unsent())
            await stream.send(message)
            # Newer progress waits for the next round; lines are many and go on.
            has_news = self._lines.has_unsent()
        if self._urgent.is_set() or self._lines.num_unaccepted >= _ACCEPT_AFTER_LINES:
            await self._settle()

    async def _settle(self) -> None:
        """End the stream to hear that its lines were kept."""
        stream = self._stream
        if stream is not None:
            await stream.finish()
            self._stream = None
            self._lines.accept_sent()
        if not self._lines.num_unaccepted and self._progress is None:
            self._idle.set()
            if not self._is_closed:
                self._urgent.clear()

    def _open_stream(self) -> _Stream:
        if self._stream is None:
            self._lines.resend()
            self._stream = _Stream(self._results)
        return self._stream

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.hang_up()

    async def _note_failure(self, error: Exception) -> bool:
        self._num_failures += 1
        self._lines.resend()
        reason = error.reason if isinstance(error, RemoteError) else type(error).__name__
        _log.debug("telemetry failed", reason=reason, error=str(error), num_failures=self._num_failures)
        if reason in _FINAL and self._num_failures >= _REFUSALS_NEEDED:
            _log.warning("the gateway takes no telemetry of this attempt", reason=reason)
            return False
        if self._is_closed and self._num_failures >= _REFUSALS_NEEDED:
            _log.warning("gave up on the last log lines", num_lines=self._lines.num_unaccepted, reason=reason)
            return False
        await self._clock.sleep(_PACE.wait_seconds(self._num_failures, error))
        self._news.set()
        return True
