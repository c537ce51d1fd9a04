"""The double of a host speaks the protocol as its proto tells: tried against a scheduler that says what a test says."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from headway.contract.access import METHOD_SCOPES
from headway.contract.errors import Code, HostIdInUse
from headway.contract.times import duration
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.principal import Principal
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.v1 import scheduler_service_pb2
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_CANCELLED, ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_UNSPECIFIED
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2 import (
    AttemptOrder,
    AttemptReference,
    AttemptStop,
    ExplainRequest,
    SelectModeRequest,
    SelectModeResponse,
    SynchronizeRequest,
    SynchronizeResponse,
)
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer, add_SchedulerServiceServicer_to_server

JOB = "projects/demo/jobs/jaaaaaaaaaaaaaaaaaaaaaaaaa"
_BEAT = timedelta(milliseconds=50)
ORDER = AttemptOrder(job=JOB, attempt=1)


class Script(SchedulerServiceServicer):
    """Hears everything, and says what the test puts into `says`."""

    def __init__(self) -> None:
        self.heard: list[SynchronizeRequest] = []
        self.says: asyncio.Queue[SynchronizeResponse | Exception | None] = asyncio.Queue()
        self.num_streams = 0

    async def authenticate(self, _key: str | None) -> Principal:
        return Principal(key_id="k", user_id="u", scopes=frozenset({"host"}), projects=frozenset())

    def say(self, *run: AttemptOrder, stop: tuple[AttemptStop, ...] = (), release: bool = False) -> None:
        response = SynchronizeResponse(run=run, stop=stop)
        response.next_sync_delay.CopyFrom(duration(_BEAT))
        if release:
            response.release.append(AttemptReference(job=JOB, attempt=1))
        self.says.put_nowait(response)

    async def Synchronize(  # noqa: N802 - named by the proto.
        self, request_iterator: AsyncIterator[SynchronizeRequest], _context: object
    ) -> AsyncGenerator[SynchronizeResponse, None]:
        self.num_streams += 1

        async def hear() -> None:
            async for request in request_iterator:
                self.heard.append(request)

        hearing = asyncio.create_task(hear())
        try:
            while (word := await self.says.get()) is not None:
                if isinstance(word, Exception):
                    raise word
                yield word
        finally:
            hearing.cancel()
            await asyncio.wait([hearing])

    async def Explain(self, request: ExplainRequest, context: object) -> ExplainJobResponse:  # noqa: N802 - as above.
        raise NotImplementedError

    async def SelectMode(  # noqa: N802 - as above.
        self, request: SelectModeRequest, context: object
    ) -> SelectModeResponse:
        raise NotImplementedError

    @property
    def reports(self) -> list[tuple[str, int, int]]:
        """What the newest message lists."""
        return [(report.job, report.attempt, report.outcome) for report in self.heard[-1].attempts]


@asynccontextmanager
async def a_stage(*, obeys: bool = True, redials: bool = True) -> AsyncIterator[tuple[Script, FakeHost]]:
    script = Script()
    server = GrpcServer("127.0.0.1:0", authenticator=script, scopes=METHOD_SCOPES)
    descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
    server.add(add_SchedulerServiceServicer_to_server, script, descriptor)
    async with server, FakeHost(server.address, api_key="k", obeys=obeys, redials=redials) as host:
        await eventually(lambda: script.heard)
        yield script, host


async def test_it_says_what_it_is_and_counts_its_messages() -> None:
    async with a_stage() as (script, host):
        host.speak()
        await eventually(lambda: len(script.heard) > 1)

        assert script.heard[0].host == host.host
        assert [request.sequence for request in script.heard[:2]] == [1, 2]


async def test_an_order_is_taken_once_and_reported() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        script.say(ORDER)

        assert await host.next_order() == ORDER
        await eventually(lambda: script.reports == [(JOB, 1, ATTEMPT_OUTCOME_UNSPECIFIED)])
        with pytest.raises(TimeoutError):
            await host.next_order(timeout_seconds=0.05)


async def test_it_says_what_the_test_says() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED)

        await eventually(lambda: script.reports == [(JOB, 1, ATTEMPT_OUTCOME_FAILED)])


async def test_a_released_attempt_is_forgotten() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED)
        script.say(release=True)
        await eventually(lambda: not host.attempts)
        host.speak()

        await eventually(lambda: script.reports == [])


async def test_an_attempt_that_is_to_be_cancelled_ends_as_cancelled() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        await host.next_order()
        stop = AttemptStop(job=JOB, attempt=1, reason=AttemptStop.REASON_CANCEL)
        script.say(stop=(stop,))

        assert await host.next_stop() == stop
        await eventually(lambda: script.reports == [(JOB, 1, ATTEMPT_OUTCOME_CANCELLED)])


async def test_a_stale_attempt_is_thrown_away() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        await host.next_order()
        script.say(stop=(AttemptStop(job=JOB, attempt=1, reason=AttemptStop.REASON_STALE),))

        await eventually(lambda: script.reports == [])


async def test_a_host_that_does_not_obey_hears_and_goes_on() -> None:
    async with a_stage(obeys=False) as (script, host):
        script.say(ORDER)
        await host.next_order()
        script.say(stop=(AttemptStop(job=JOB, attempt=1, reason=AttemptStop.REASON_CANCEL),))
        await host.next_stop()
        host.speak()

        await eventually(lambda: script.reports == [(JOB, 1, ATTEMPT_OUTCOME_UNSPECIFIED)])


async def test_a_host_can_let_go_of_an_attempt() -> None:
    async with a_stage() as (script, host):
        script.say(ORDER)
        host.forget(await host.next_order())

        await eventually(lambda: script.reports == [])


async def test_a_silent_host_says_and_hears_nothing_until_it_comes_back() -> None:
    async with a_stage() as (script, host):
        host.fall_silent()
        await asyncio.sleep(0.05)
        num_heard = len(script.heard)
        script.say(ORDER)
        host.speak()
        await asyncio.sleep(0.1)
        assert (len(script.heard), host.orders) == (num_heard, [])

        host.come_back()
        await eventually(lambda: len(script.heard) > num_heard)


async def test_a_stream_that_ends_is_opened_again() -> None:
    async with a_stage() as (script, host):
        script.says.put_nowait(None)

        await eventually(lambda: script.num_streams > 1)
        assert host.num_streams > 1


async def test_a_refusal_is_kept_for_the_test() -> None:
    async with a_stage(redials=False) as (script, host):
        script.says.put_nowait(HostIdInUse("taken"))
        error = await host.ended()

        assert error is not None
        assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "HOST_ID_IN_USE")
        assert host.num_streams == 1


async def test_it_beats_at_the_pace_that_it_is_told() -> None:
    async with a_stage() as (script, _):
        script.say()
        await eventually(lambda: len(script.heard) > 5, timeout_seconds=_BEAT.total_seconds() * 40)


async def test_it_waits_for_the_answer_to_what_it_says_now() -> None:
    async with a_stage() as (script, host):
        with pytest.raises(TimeoutError):
            await host.heard(timeout_seconds=0.1)
        script.says.put_nowait(SynchronizeResponse(sequence=1000))
        await host.heard()
