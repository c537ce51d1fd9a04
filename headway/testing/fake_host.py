"""A double of a trainer host: it trains nothing, and speaks Synchronize with a real scheduler.

It takes every order at once and reports the attempt as begun; what becomes of it the test says with `report`. Left
alone it obeys: an attempt that it is told to cancel ends as CANCELLED, a stale one is thrown away, and a released one
is forgotten, as the contract of SynchronizeResponse demands.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Self

from headway.runtime.address_list import AddressList
from headway.runtime.channel import ChannelOptions
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.leader_finder import leader_finder
from headway.runtime.remote_error import RemoteError, responses
from headway.testing.builders import a_host
from headway.v1.hosts_pb2 import Host
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_PREEMPTED,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    ATTEMPT_PHASE_STARTING,
    AttemptOutcome,
    Failure,
)
from headway.v1.scheduler_service_pb2 import (
    AttemptOrder,
    AttemptReport,
    AttemptStop,
    SynchronizeRequest,
    SynchronizeResponse,
)
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

if TYPE_CHECKING:
    # The generated code has this name in its stub file only.
    from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceAsyncStub

_REDIAL_SECONDS = 0.05
_WAIT_SECONDS = 5.0
_FIRST_DELAY_SECONDS = 1.0
_OUTCOMES = {
    AttemptStop.REASON_CANCEL: ATTEMPT_OUTCOME_CANCELLED,
    AttemptStop.REASON_PAUSE: ATTEMPT_OUTCOME_PAUSED,
    AttemptStop.REASON_PREEMPT: ATTEMPT_OUTCOME_PREEMPTED,
}


class FakeHost:
    """One boot of one host. Use as an async context manager."""

    def __init__(
        self,
        address: str,
        host: Host | None = None,
        *,
        api_key: str | None = None,
        obeys: bool = True,
        redials: bool = True,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a host.

        Args:
            address: host:port of the scheduler, or of several with commas between; it calls the one that leads.
            host: what it says of itself; None for `a_host()`. A test may change it and call `speak`.
            api_key: with scope host.
            obeys: whether it carries out stops by itself.
            redials: whether it calls again after the stream has ended.
            clock: for its beat.
        """
        self.host = host if host is not None else a_host()
        self.orders: list[AttemptOrder] = []
        """Every order, once each, in the order of its arrival."""
        self.stops: list[AttemptStop] = []
        """Every stop, once each."""
        self.attempts: dict[tuple[str, int], AttemptReport] = {}
        """What it holds, by job name and attempt."""
        self.last_response: SynchronizeResponse | None = None
        self.error: RemoteError | None = None
        """How the last stream ended; None when it was ended in order."""
        self.num_streams = 0
        self._address = address
        self._api_key = api_key
        self._obeys = obeys
        self._redials = redials
        self._clock = clock or SystemClock()
        self._resources = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_silent = False
        self._orders_read = 0
        self._stops_read = 0
        self._sequence = 0
        self._delay_seconds = _FIRST_DELAY_SECONDS

    async def __aenter__(self) -> Self:
        """Call the scheduler."""
        group = await self._resources.enter_async_context(asyncio.TaskGroup())
        self._task = group.create_task(self._run())
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
        await self._resources.aclose()

    def report(
        self,
        order: AttemptOrder,
        outcome: "AttemptOutcome.ValueType" = ATTEMPT_OUTCOME_UNSPECIFIED,
        failure: Failure | None = None,
    ) -> None:
        """Say where an attempt stands, at once."""
        key = (order.job, order.attempt)
        self.attempts[key] = AttemptReport(
            job=order.job, attempt=order.attempt, phase=ATTEMPT_PHASE_STARTING, outcome=outcome, failure=failure
        )
        self.speak()

    def forget(self, order: AttemptOrder) -> None:
        """Hold the attempt no longer, and say so."""
        self.attempts.pop((order.job, order.attempt), None)
        self.speak()

    def speak(self) -> None:
        """Send the whole state now."""
        self._news.set()

    def fall_silent(self) -> None:
        """Say nothing and hear nothing from now on, with the stream open, like a process that is stopped."""
        self._is_silent = True

    def come_back(self) -> None:
        """Speak and hear again."""
        self._is_silent = False
        self.speak()

    async def next_order(self, timeout_seconds: float = _WAIT_SECONDS) -> AttemptOrder:
        """The oldest order that this method has not returned yet; raises TimeoutError when none comes."""
        await self._wait_until_more(self.orders, self._orders_read, timeout_seconds)
        self._orders_read += 1
        return self.orders[self._orders_read - 1]

    async def next_stop(self, timeout_seconds: float = _WAIT_SECONDS) -> AttemptStop:
        """The oldest stop that this method has not returned yet; raises TimeoutError when none comes."""
        await self._wait_until_more(self.stops, self._stops_read, timeout_seconds)
        self._stops_read += 1
        return self.stops[self._stops_read - 1]

    async def heard(self, timeout_seconds: float = _WAIT_SECONDS) -> None:
        """Say the whole state once more and wait for the answer to it; raises TimeoutError when none comes."""
        wanted, deadline = self._sequence + 1, self._clock.monotonic() + timeout_seconds
        self.speak()
        while self.last_response is None or self.last_response.sequence < wanted:
            left = deadline - self._clock.monotonic()
            self._changed.clear()
            if left <= 0 or not await self._clock.wait_for_event(self._changed, left):
                raise TimeoutError(f"{self.host.name} was not answered in {timeout_seconds:g} s")

    async def ended(self, timeout_seconds: float = _WAIT_SECONDS) -> RemoteError | None:
        """Wait until a host that does not redial has no stream any more; returns how it ended."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout_seconds)
        return self.error

    async def _wait_until_more(self, heard: list[AttemptOrder] | list[AttemptStop], read: int, limit: float) -> None:
        deadline = self._clock.monotonic() + limit
        while len(heard) <= read:
            left = deadline - self._clock.monotonic()
            self._changed.clear()
            if left <= 0 or not await self._clock.wait_for_event(self._changed, left):
                raise TimeoutError(f"{self.host.name} heard nothing new in {limit:g} s")

    async def _run(self) -> None:
        addresses = AddressList(self._address).each
        async with leader_finder(
            addresses, "headway.v1.SchedulerService", api_key=self._api_key, options=ChannelOptions()
        ) as schedulers:
            while True:
                self.error = None
                try:
                    await self._converse(SchedulerServiceStub(await schedulers.channel()))
                except RemoteError as error:
                    self.error = error
                schedulers.forget()
                if not self._redials:
                    return
                await self._clock.sleep(_REDIAL_SECONDS)

    async def _converse(self, stub: "SchedulerServiceAsyncStub") -> None:
        self.num_streams += 1
        # The library reads the requests in a task of its own, and that task ends them when the call ends.
        async with aclosing(responses(stub.Synchronize(self._requests()))) as answers:
            async for response in answers:
                if not self._is_silent:
                    self._hear(response)

    async def _requests(self) -> AsyncGenerator[SynchronizeRequest, None]:
        while True:
            self._news.clear()
            if not self._is_silent:
                self._sequence += 1
                yield SynchronizeRequest(host=self.host, attempts=self.attempts.values(), sequence=self._sequence)
            await self._clock.wait_for_event(self._news, self._delay_seconds)

    def _hear(self, response: SynchronizeResponse) -> None:
        self.last_response = response
        self._delay_seconds = response.next_sync_delay.ToTimedelta().total_seconds()
        for reference in response.release:
            self.attempts.pop((reference.job, reference.attempt), None)
        for order in response.run:
            if (order.job, order.attempt) not in self.attempts:
                self.orders.append(order)
                self.report(order)
        for stop in response.stop:
            self._stop(stop)
        self._changed.set()

    def _stop(self, stop: AttemptStop) -> None:
        if stop not in self.stops:
            self.stops.append(stop)
        key = (stop.job, stop.attempt)
        if not self._obeys or key not in self.attempts:
            return
        outcome = _OUTCOMES.get(stop.reason)
        if outcome is None:
            del self.attempts[key]
            self.speak()
        else:
            self.report(AttemptOrder(job=stop.job, attempt=stop.attempt), outcome)
