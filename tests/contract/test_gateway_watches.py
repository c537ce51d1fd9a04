"""WatchJob of a real gateway: gap-free over restarts, bounded, and fair to others (P24)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, JOB_STATE_QUEUED, Job
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    WatchJobRequest,
    WatchJobResponse,
)
from headway.v1.records_pb2 import JobRecord
from tests.jobs_gateway import (
    Gateway,
    a_spec,
    checkpointed,
    claimed,
    create,
    get,
    running_gateway,
    stopped,
)


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        yield gateway


# Watching


async def watched(gateway: Gateway, job: Job, token: str = "") -> AsyncGenerator[WatchJobResponse, None]:
    request = WatchJobRequest(name=job.name, resume_token=token)
    async with aclosing(responses(gateway.jobs.WatchJob(request))) as messages:
        async for message in messages:
            yield message


def number_of(message: WatchJobResponse) -> int:
    return message.change.transition.number


@dataclass
class Follower:
    """Someone who watches a job from token to token, over as many gateways as it takes."""

    token: str = ""
    numbers: list[int] = field(default_factory=list)

    async def follow(self, gateway: Gateway, job: Job) -> None:
        """Watch until the gateway stops, which every fifth transition makes it do."""
        async with aclosing(watched(gateway, job, self.token)) as messages:
            async for message in messages:
                self.token = message.resume_token
                if message.HasField("change"):
                    self.numbers.append(number_of(message))
                if len(self.numbers) % 5 == 4:
                    gateway.service.stop()


async def test_a_watch_is_gap_free_over_restarts_of_the_gateway_p24(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    follower = Follower()
    job = Job()
    for _ in range(4):
        async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
            if not job.name:
                job = await create(gateway)
                await gateway.change(job.name, claimed)
            writing = asyncio.ensure_future(_checkpoints(gateway, job, 8))
            with pytest.raises(RemoteError) as caught:
                await follower.follow(gateway, job)
            assert caught.value.code is Code.UNAVAILABLE
            await writing
    first, count = follower.numbers[0], len(follower.numbers)
    assert count >= 12
    assert follower.numbers == list(range(first, first + count)), "a watch should neither skip nor repeat"


async def _checkpoints(gateway: Gateway, job: Job, count: int) -> None:
    for _ in range(count):
        await gateway.change(job.name, lambda record: checkpointed(record.job.checkpoint.step + 1)(record))
        await asyncio.sleep(0.005)


async def test_a_watch_ends_with_ok_after_the_terminal_transition(gateway: Gateway) -> None:
    job = await create(gateway)
    watching = asyncio.ensure_future(_all(watched(gateway, job)))
    await asyncio.sleep(0.1)
    await gateway.change(job.name, claimed)
    await answer(gateway.jobs.CancelJob(CancelJobRequest(name=job.name)))
    await gateway.change(job.name, stopped)
    messages = await watching
    assert messages[0].HasField("snapshot")
    assert [message.change.transition.event for message in messages[1:]] == ["claimed", "cancel_requested", "cancelled"]
    assert messages[-1].change.job.state == JOB_STATE_CANCELLED


async def _all(messages: AsyncIterator[WatchJobResponse]) -> list[WatchJobResponse]:
    return [message async for message in messages]


async def test_a_silent_watch_beats(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> None:
    section = {"jobs": {"heartbeat_seconds": 0.05}}
    async with running_gateway(tmp_path / "home", nats_server, nats_bus, **section) as gateway:
        job = await create(gateway)
        async with aclosing(watched(gateway, job)) as messages:
            kinds = [(await anext(messages)).WhichOneof("update") for _ in range(4)]
        assert kinds == ["snapshot", "heartbeat", "heartbeat", "heartbeat"]


async def test_cancelled_watches_leave_nothing_behind(gateway: Gateway) -> None:
    job = await create(gateway)
    before = len(asyncio.all_tasks())
    for _ in range(10):
        calls = [gateway.jobs.WatchJob(WatchJobRequest(name=job.name)) for _ in range(30)]
        await asyncio.gather(*(call.read() for call in calls))
        for call in calls:
            call.cancel()
    await eventually(lambda: len(asyncio.all_tasks()) <= before + 2)
    # The key's allowance is free again: far more were opened than one key may have at a time.
    assert (await get(gateway, job)).state == JOB_STATE_QUEUED


async def test_the_watches_of_a_key_are_bounded_and_come_back_e7(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus, jobs={"watches_per_key": 3}) as gateway:
        job = await create(gateway)
        calls = [gateway.jobs.WatchJob(WatchJobRequest(name=job.name)) for _ in range(3)]
        await asyncio.gather(*(call.read() for call in calls))
        with pytest.raises(RemoteError) as caught:
            await anext(watched(gateway, job))
        assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES")
        calls[0].cancel()

        async def opens() -> bool:
            try:
                async with aclosing(watched(gateway, job)) as messages:
                    return (await anext(messages)).HasField("snapshot")
            except RemoteError:
                return False

        await eventually(opens)
        for call in calls:
            call.cancel()


async def test_a_reader_that_never_reads_is_cut_off_and_slows_nobody_p24_e7(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    section = {"jobs": {"watch_write_seconds": 0.3}}
    async with running_gateway(tmp_path / "home", nats_server, nats_bus, **section) as gateway:
        job = await create(gateway, a_spec(exclude_columns=[], sheet_name=""), request_id="r1")
        await gateway.change(job.name, claimed)
        await gateway.change(job.name, _fattened)
        idle = gateway.jobs.WatchJob(WatchJobRequest(name=job.name))
        quick = asyncio.ensure_future(_count(gateway, job, 60))
        await asyncio.sleep(0.1)
        for step in range(1, 61):
            await gateway.change(job.name, checkpointed(step))
            await asyncio.sleep(0.005)
        assert await asyncio.wait_for(quick, 10) == 60
        await asyncio.sleep(0.5)
        with pytest.raises(RemoteError) as caught:
            await _all(responses(idle))
        assert (caught.value.code, caught.value.reason) == (Code.RESOURCE_EXHAUSTED, "WATCH_LAGGED")
        token = caught.value.metadata["resume_token"]
        async with aclosing(watched(gateway, job, token)) as messages:
            assert (await anext(messages)).HasField("change")


def _fattened(record: JobRecord) -> JobRecord:
    # A large record fills the buffers between the two sides quickly.
    record.job.admission.warnings.append("x" * 150_000)
    return record


async def _count(gateway: Gateway, job: Job, wanted: int) -> int:
    count = 0
    async with aclosing(watched(gateway, job)) as messages:
        async for message in messages:
            count += message.HasField("change")
            if count == wanted:
                return count
    return count
