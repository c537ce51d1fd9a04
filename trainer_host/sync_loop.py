"""The conversation with the scheduler: says what the host is and holds, hears what it should be.

The host speaks at once when something changed and otherwise when the scheduler's `next_sync_delay` has passed. When the
scheduler falls silent the host calls again, with back-off, and nothing else happens: training goes on, up to the orphan
limit, which is long, for wasted compute is cheaper than lost compute.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from headway.runtime.clock import Clock
from headway.runtime.leader_finder import LeaderFinder
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError, responses
from headway.v1.hosts_pb2 import Host
from headway.v1.scheduler_service_pb2 import SynchronizeRequest, SynchronizeResponse
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from trainer_host.attempt_supervisor import AttemptSupervisor
from trainer_host.retries import Pace
from trainer_host.stop_request import StopReason

_log = get_logger(__name__)
_DELAY_SECONDS = 1.0
"""Until the scheduler names its own pace."""
_SILENCE_SECONDS = 5.0
"""An answer takes milliseconds; after this, or half a lease, the connection is taken for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How patient the host is.

    Attributes:
        pace: the waits between calls to a scheduler that does not answer.
        orphan_limit_seconds: unheard for this long, the scheduler is given up and every attempt stopped.
    """

    pace: Pace
    orphan_limit_seconds: float


class SyncLoop:
    """One host's conversation; `run` and `watch_silence` are loops of the service."""

    def __init__(
        self,
        schedulers: LeaderFinder,
        supervisor: AttemptSupervisor,
        describe: Callable[[], Host],
        clock: Clock,
        options: SyncOptions,
    ) -> None:
        self.news = supervisor.table.changed
        """Set it to be heard at once."""
        self._schedulers = schedulers
        self._supervisor = supervisor
        self._describe = describe
        self._clock = clock
        self._options = options
        self._sequence = 0
        self._answered = 0
        self._answer_came = asyncio.Event()
        self._heard_at = clock.monotonic()
        self._delay_seconds = _DELAY_SECONDS
        self._silence_seconds = _SILENCE_SECONDS
        self._num_failures = 0

    async def run(self) -> None:
        """Hold the conversation, for ever."""
        while True:
            try:
                await self._converse()
            except RemoteError as error:
                self._note_failure(error.reason, error.message)
                await self._clock.sleep(self._wait_seconds(error))
            except TimeoutError:
                self._note_failure("SILENCE", "the scheduler does not answer; calling again")
                await self._clock.sleep(self._wait_seconds(None))
            else:
                # The scheduler ended the call in order, as one does that is restarted.
                await self._clock.sleep(random.uniform(0.05, 0.2))

    async def watch_silence(self) -> None:
        """Stop every attempt when the scheduler was not heard of for longer than the orphan limit."""
        limit = self._options.orphan_limit_seconds
        while True:
            silent_for = self._clock.monotonic() - self._heard_at
            if silent_for >= limit and self._supervisor.table.running():
                _log.error(
                    "the scheduler was not heard of for too long; stopping every attempt", seconds=int(silent_for)
                )
                self._supervisor.stop_all(StopReason.ORPHANED)
            await self._clock.sleep(max(limit - silent_for, min(limit / 4, 60.0)))

    async def flush(self, limit_seconds: float) -> None:
        """Wait until the scheduler has answered the state as it is now, at most `limit_seconds`."""
        wanted = self._sequence + 1
        self.news.set()
        deadline = self._clock.monotonic() + limit_seconds
        while self._answered < wanted and (left := deadline - self._clock.monotonic()) > 0:
            self._answer_came.clear()
            await self._clock.wait_for_event(self._answer_came, left)

    async def _converse(self) -> None:
        """One call, from connecting to its end."""
        loop = asyncio.get_running_loop()
        hung_up = asyncio.Event()
        scheduler = SchedulerServiceStub(await self._schedulers.channel())
        call = scheduler.Synchronize(self._requests(hung_up))
        try:
            async with asyncio.timeout(self._silence_seconds) as deadline, aclosing(responses(call)) as answers:
                async for response in answers:
                    self._hear(response)
                    deadline.reschedule(loop.time() + self._silence_seconds)
        finally:
            # However it ended, another one may lead by now.
            self._schedulers.forget()
            # Wakes the generator of this call, so that it ends with it.
            hung_up.set()
            self.news.set()

    async def _requests(self, hung_up: asyncio.Event) -> AsyncIterator[SynchronizeRequest]:
        while not hung_up.is_set():
            self.news.clear()
            self._sequence += 1
            attempts = self._supervisor.table.reports()
            yield SynchronizeRequest(host=self._describe(), attempts=attempts, sequence=self._sequence)
            await self._clock.wait_for_event(self.news, self._delay_seconds)

    def _hear(self, response: SynchronizeResponse) -> None:
        if self._num_failures:
            _log.info("the scheduler is back", num_failures=self._num_failures)
        self._num_failures = 0
        self._heard_at = self._clock.monotonic()
        self._answered = max(self._answered, response.sequence)
        self._answer_came.set()
        if response.HasField("next_sync_delay"):
            delay = max(0.01, response.next_sync_delay.ToTimedelta().total_seconds())
            if delay < self._delay_seconds:
                # The wait that is under way is now too long.
                self.news.set()
            self._delay_seconds = delay
        if response.HasField("lease_duration"):
            lease = response.lease_duration.ToTimedelta().total_seconds()
            self._silence_seconds = max(1.0, lease / 2, 2 * self._delay_seconds)
        self._supervisor.apply(response)

    def _wait_seconds(self, error: RemoteError | None) -> float:
        return self._options.pace.wait_seconds(self._num_failures, error)

    def _note_failure(self, reason: str, message: str) -> None:
        self._num_failures += 1
        # Once a streak, so that a scheduler that is down for an hour does not fill the log.
        level = _log.warning if self._num_failures == 1 else _log.debug
        level("the scheduler cannot be reached", reason=reason, error=message, num_failures=self._num_failures)
