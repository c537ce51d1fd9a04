import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.errors import HostIdInUse, NotLeader
from headway.runtime.channel import ChannelOptions
from headway.runtime.clock import SystemClock
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.leader_finder import leader_finder
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from headway.v1 import scheduler_service_pb2
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_LOST, ATTEMPT_PHASE_EVALUATING
from headway.v1.scheduler_service_pb2_grpc import add_SchedulerServiceServicer_to_server
from tests.contract.fake_scheduler import FakeScheduler, open_server, serving_scheduler
from tests.contract.host_process import toy_order
from tests.unit.trainer_host.world import QUICK, World, a_world, finish
from trainer_host.attempt_key import AttemptKey
from trainer_host.child_messages import Progress, Stop
from trainer_host.sync_loop import SyncLoop, SyncOptions

SERVICE = "headway.v1.SchedulerService"
HOST = Host(name="hosts/h", boot_id="b", mode=EXECUTION_MODE_LOCAL, num_slots=1, num_cpu_cores=1, memory_mib=1000)


@asynccontextmanager
async def synchronizing(world: World, addresses: str, *, orphan_limit_seconds: float = 60.0) -> AsyncIterator[SyncLoop]:
    finding = leader_finder(addresses.split(","), SERVICE, api_key="k", options=ChannelOptions())
    async with finding as schedulers:
        sync = SyncLoop(
            schedulers,
            world.supervisor,
            lambda: HOST,
            SystemClock(),
            SyncOptions(pace=QUICK, orphan_limit_seconds=orphan_limit_seconds),
        )
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(sync.run()), group.create_task(sync.watch_silence())]
            yield sync
            for loop in loops:
                loop.cancel()


@pytest.fixture
async def world(tmp_path: Path, channel: grpc.aio.Channel) -> AsyncIterator[World]:
    async with a_world(tmp_path, channel) as made:
        yield made


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler(beat_seconds=0.1)


async def heard(scheduler: FakeScheduler, num_messages: int) -> None:
    await eventually(lambda: len(scheduler.messages) >= num_messages)


async def test_a_host_says_at_once_what_it_is_and_then_at_the_pace_of_the_scheduler(
    world: World, scheduler: FakeScheduler
) -> None:
    async with serving_scheduler(scheduler) as address, synchronizing(world, address):
        await eventually(lambda: scheduler.messages)
        assert scheduler.messages[0].host == HOST
        await asyncio.sleep(0.55)
        assert 4 <= len(scheduler.messages) <= 8
        assert [message.sequence for message in scheduler.messages] == list(range(1, len(scheduler.messages) + 1))


async def test_what_changes_is_heard_at_once_and_whole(world: World, scheduler: FakeScheduler) -> None:
    scheduler = FakeScheduler(beat_seconds=30)
    async with serving_scheduler(scheduler) as address, synchronizing(world, address):
        await eventually(lambda: scheduler.messages)
        key = scheduler.order(toy_order())
        child = await world.child_of(key)
        child.says.put_nowait(Progress(phase="EVALUATING", step=9, measure_time=1.0))
        await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_EVALUATING, timeout_seconds=1)
        report = scheduler.report(key)
        assert report is not None
        assert report.progress.step == 9
        await finish(child)
        await eventually(lambda: scheduler.outcome(key), timeout_seconds=1)


async def test_a_scheduler_that_comes_back_is_found_and_training_goes_on(
    world: World, scheduler: FakeScheduler
) -> None:
    """P17."""
    port = free_port()
    async with synchronizing(world, f"127.0.0.1:{port}"):
        async with serving_scheduler(scheduler, port):
            await eventually(lambda: scheduler.messages)
            key = scheduler.order(toy_order())
            child = await world.child_of(key)
        await asyncio.sleep(0.3)
        assert child.returncode is None
        again = FakeScheduler(beat_seconds=0.1)
        async with serving_scheduler(again, port):
            await eventually(lambda: again.report(key))
            assert child.returncode is None
            assert not any(isinstance(message, Stop) for message in child.heard)


async def test_a_scheduler_that_restarts_under_a_live_host_is_called_again(
    world: World, scheduler: FakeScheduler
) -> None:
    port = free_port()
    async with synchronizing(world, f"127.0.0.1:{port}"):
        for _ in range(3):
            fresh = FakeScheduler(beat_seconds=0.1)
            async with serving_scheduler(fresh, port):
                await heard(fresh, 2)


@asynccontextmanager
async def one_of_two(scheduler: FakeScheduler, *, leads: bool) -> AsyncIterator[GrpcServer]:
    server = open_server()
    descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
    server.add(add_SchedulerServiceServicer_to_server, scheduler, descriptor)
    async with server:
        await server.set_serving(SERVICE, is_serving=leads)
        yield server


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_of_two_schedulers_the_one_that_leads_is_called_and_then_its_successor(
    world: World, *, is_frozen: bool
) -> None:
    """F14, F15: whether the first one ends the call or says nothing any more; training goes on."""
    first, second = FakeScheduler(beat_seconds=0.1), FakeScheduler(beat_seconds=0.1)
    async with (
        one_of_two(first, leads=False) as one,
        one_of_two(second, leads=True) as other,
        synchronizing(world, f"{one.address},{other.address}"),
    ):
        key = second.order(toy_order())
        child = await world.child_of(key)
        assert first.messages == []

        await one.set_serving(SERVICE, is_serving=True)
        await other.set_serving(SERVICE, is_serving=False)
        second.is_silent = is_frozen
        if not is_frozen:
            second.refusals = [NotLeader("another one leads") for _ in range(100)]
            second.hang_up()
        await eventually(lambda: first.report(key), timeout_seconds=20)
        assert child.returncode is None


async def test_a_connection_on_which_no_answer_comes_is_given_up(world: World, scheduler: FakeScheduler) -> None:
    """F31 and half-open links: the silence is noticed long before any keepalive."""
    async with serving_scheduler(scheduler) as address, synchronizing(world, address):
        await eventually(lambda: scheduler.messages)
        scheduler.is_silent = True
        num_streams = scheduler.num_streams
        await eventually(lambda: scheduler.num_streams > num_streams, timeout_seconds=4)
        scheduler.is_silent = False
        num_messages = len(scheduler.messages)
        await eventually(lambda: len(scheduler.messages) > num_messages)


async def test_a_scheduler_that_takes_the_call_and_never_answers_is_called_again(
    world: World, scheduler: FakeScheduler
) -> None:
    scheduler.is_silent = True
    async with serving_scheduler(scheduler) as address, synchronizing(world, address) as sync:
        sync._silence_seconds = 0.2
        await eventually(lambda: scheduler.num_streams >= 3)


async def test_a_refused_host_keeps_asking(world: World, scheduler: FakeScheduler) -> None:
    """Another boot of this host id is still believed to live; its lease will run out."""
    scheduler.refusals = [HostIdInUse("another boot is live") for _ in range(3)]
    async with serving_scheduler(scheduler) as address, synchronizing(world, address):
        await eventually(lambda: scheduler.messages)


async def test_silence_of_the_scheduler_stops_attempts_only_after_the_orphan_limit(
    world: World, scheduler: FakeScheduler
) -> None:
    async with serving_scheduler(scheduler) as address, synchronizing(world, address, orphan_limit_seconds=1.0):
        await eventually(lambda: scheduler.messages)
        key = scheduler.order(toy_order())
        child = await world.child_of(key)
        scheduler.is_silent = True
        await asyncio.sleep(0.6)
        assert child.returncode is None
        report = await world.report_when_over(key)
        assert (report.outcome, report.failure.reason) == (ATTEMPT_OUTCOME_LOST, "ORPHANED")


async def test_the_last_state_can_be_waited_for(world: World) -> None:
    scheduler = FakeScheduler(beat_seconds=30)
    async with serving_scheduler(scheduler) as address, synchronizing(world, address) as sync:
        await eventually(lambda: scheduler.messages)
        order = toy_order()
        world.table.begin(AttemptKey.of(order))
        world.table.end(AttemptKey.of(order), ATTEMPT_OUTCOME_LOST)
        await sync.flush(2)
        assert scheduler.outcome(AttemptKey.of(order)) == ATTEMPT_OUTCOME_LOST


async def test_waiting_for_the_last_state_has_a_limit(world: World) -> None:
    async with synchronizing(world, f"127.0.0.1:{free_port()}") as sync:
        async with asyncio.timeout(1):
            await sync.flush(0.2)
