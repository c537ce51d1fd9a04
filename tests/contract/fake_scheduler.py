"""A scheduler for one trainer host, over real gRPC: it wants what the test says."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc.aio

from headway.contract.access import METHOD_SCOPES, Scope
from headway.contract.errors import HeadwayError
from headway.contract.times import duration
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.principal import Principal
from headway.v1 import scheduler_service_pb2
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2 import (
    AttemptOrder,
    AttemptReport,
    AttemptStop,
    ExplainRequest,
    SelectModeRequest,
    SelectModeResponse,
    SynchronizeRequest,
    SynchronizeResponse,
)
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer, add_SchedulerServiceServicer_to_server
from trainer_host.attempt_key import AttemptKey


class AnyKey:
    """Lets everybody in."""

    async def authenticate(self, key: str | None) -> Principal:
        return Principal(key_id="k", user_id="u", scopes=frozenset({Scope.ADMIN}), projects=frozenset({"*"}))


class FakeScheduler(SchedulerServiceServicer):
    """Wants what the test puts into it, and says so at once."""

    def __init__(self, *, beat_seconds: float = 0.3) -> None:
        self.messages: list[SynchronizeRequest] = []
        self.is_silent = False
        self.refusals: list[HeadwayError] = []
        self.num_streams = 0
        self._orders: dict[AttemptKey, AttemptOrder] = {}
        self._stops: dict[AttemptKey, AttemptStop] = {}
        self._releases: set[AttemptKey] = set()
        self._beat_seconds = beat_seconds
        self._wakes: list[asyncio.Event] = []
        self._num_hung_up = 0

    def order(self, order: AttemptOrder) -> AttemptKey:
        key = AttemptKey.of(order)
        self._orders[key] = order
        self._wake()
        return key

    def stop(self, key: AttemptKey, reason: "AttemptStop.Reason.ValueType") -> None:
        self._stops[key] = AttemptStop(job=key.job, attempt=key.attempt, reason=reason)
        self._wake()

    def release(self, key: AttemptKey) -> None:
        self._orders.pop(key, None)
        self._stops.pop(key, None)
        self._releases.add(key)
        self._wake()

    def report(self, key: AttemptKey) -> AttemptReport | None:
        """What the newest message said of an attempt."""
        for report in self.messages[-1].attempts if self.messages else ():
            if AttemptKey.of(report) == key:
                return report
        return None

    def outcome(self, key: AttemptKey) -> int:
        report = self.report(key)
        return report.outcome if report is not None else 0

    def phase(self, key: AttemptKey) -> int:
        report = self.report(key)
        return report.phase if report is not None else 0

    async def Synchronize(  # noqa: N802 - gRPC names it
        self,
        request_iterator: AsyncIterator[SynchronizeRequest],
        context: grpc.aio.ServicerContext[SynchronizeRequest, SynchronizeResponse],
    ) -> AsyncGenerator[SynchronizeResponse, None]:
        self.num_streams += 1
        if self.refusals:
            raise self.refusals.pop()
        wake = asyncio.Event()
        self._wakes.append(wake)
        num_hung_up = self._num_hung_up

        async def listen() -> None:
            async for message in request_iterator:
                self.messages.append(message)
                wake.set()

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            listening.add_done_callback(lambda _: wake.set())
            try:
                while not listening.done() and self._num_hung_up == num_hung_up:
                    await wake.wait()
                    wake.clear()
                    if not self.is_silent and self.messages:
                        yield self._desired()
            finally:
                self._wakes.remove(wake)
                listening.cancel()

    async def SelectMode(  # noqa: N802 - gRPC names it
        self,
        request: SelectModeRequest,
        context: grpc.aio.ServicerContext[SelectModeRequest, SelectModeResponse],
    ) -> SelectModeResponse:
        raise NotImplementedError

    async def Explain(  # noqa: N802 - gRPC names it
        self, request: ExplainRequest, context: grpc.aio.ServicerContext[ExplainRequest, ExplainJobResponse]
    ) -> ExplainJobResponse:
        raise NotImplementedError

    def hang_up(self) -> None:
        """End every stream in order."""
        self._num_hung_up += 1
        self._wake()

    def _wake(self) -> None:
        for event in self._wakes:
            event.set()

    def _desired(self) -> SynchronizeResponse:
        return SynchronizeResponse(
            sequence=self.messages[-1].sequence,
            run=list(self._orders.values()),
            stop=list(self._stops.values()),
            release=[key.reference() for key in self._releases],
            next_sync_delay=duration(timedelta(seconds=self._beat_seconds)),
            lease_duration=duration(timedelta(seconds=5 * self._beat_seconds)),
        )


def open_server(port: int = 0) -> GrpcServer:
    """A server that lets everybody in."""
    options = ServerOptions(drain_seconds=0.1)
    return GrpcServer(f"127.0.0.1:{port}", authenticator=AnyKey(), scopes=METHOD_SCOPES, options=options)


@asynccontextmanager
async def serving_scheduler(scheduler: FakeScheduler, port: int = 0) -> AsyncIterator[str]:
    server = open_server(port)
    descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
    server.add(add_SchedulerServiceServicer_to_server, scheduler, descriptor)
    async with server:
        yield server.address
