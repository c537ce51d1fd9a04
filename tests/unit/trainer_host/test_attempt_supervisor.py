import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.ids import JobName, new_job_id
from headway.contract.kinds import INFER
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import InferSpec, JobSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_STARTING,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptStop
from tests.contract.fake_gateway import FakeGateway
from tests.contract.host_process import toy_order
from tests.unit.trainer_host.world import World, a_world, finish
from trainer_host.attempt_key import AttemptKey
from trainer_host.child_messages import Stop, Stopped
from trainer_host.stop_request import StopReason


@pytest.fixture
async def world(tmp_path: Path, channel: grpc.aio.Channel) -> AsyncIterator[World]:
    async with a_world(tmp_path, channel) as made:
        yield made


async def test_an_order_is_carried_out_once_however_often_it_is_repeated(world: World) -> None:
    order = toy_order()
    for _ in range(5):
        world.apply(run=(order,))
    await world.child_of(AttemptKey.of(order))
    world.apply(run=(order,))
    await asyncio.sleep(0.05)
    assert sum(1 for child in world.children for _ in child.heard) == 1


async def test_an_attempt_that_no_message_names_goes_on(world: World) -> None:
    """A scheduler that is still recovering does not know its attempts."""
    order = toy_order()
    world.apply(run=(order,))
    child = await world.child_of(AttemptKey.of(order))
    world.apply()
    await asyncio.sleep(0.05)
    assert child.returncode is None
    assert not any(isinstance(message, Stop) for message in child.heard)


async def test_a_result_is_delivered_and_forgotten_when_released(world: World, gateway: FakeGateway) -> None:
    order = toy_order()
    key = AttemptKey.of(order)
    world.apply(run=(order,))
    await finish(await world.child_of(key))
    assert (await world.report_when_over(key)).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    await eventually(lambda: world.outbox.entries() == [])
    world.apply(run=(order,))
    assert len(world.table.reports()) == 1, "an order that crosses the end is answered with the end"
    world.apply(release=(key.reference(),))
    assert world.table.reports() == []
    world.apply(run=(order,))
    assert (await world.report_when_over(key)).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_release_of_a_running_attempt_is_not_believed(world: World) -> None:
    order = toy_order()
    key = AttemptKey.of(order)
    world.apply(run=(order,))
    await world.child_of(key)
    world.apply(release=(key.reference(),))
    assert len(world.table.reports()) == 1


async def test_more_orders_than_slots_wait_for_a_slot(tmp_path: Path, channel: grpc.aio.Channel) -> None:
    async with a_world(tmp_path, channel, num_slots=1) as world:
        first, second = toy_order(), toy_order()
        world.apply(run=(first, second))
        child = await world.child_of(AttemptKey.of(first))
        await asyncio.sleep(0.1)
        report = world.table.get(AttemptKey.of(second))
        assert report is not None
        assert report.phase == ATTEMPT_PHASE_STARTING
        assert [len(one.heard) for one in world.children] == [1]
        await finish(child)
        await world.child_of(AttemptKey.of(second))


def infer_order() -> AttemptOrder:
    job = JobName("p", new_job_id()).name
    return AttemptOrder(job=job, attempt=1, kind=INFER, spec=JobSpec(infer=InferSpec(model="m")), user_id="me")


async def test_a_prediction_waits_for_no_slot_and_takes_none(tmp_path: Path, channel: grpc.aio.Channel) -> None:
    async with a_world(tmp_path, channel, num_slots=1) as world:
        training, first, second = toy_order(), infer_order(), infer_order()
        world.apply(run=(training,))
        await world.child_of(AttemptKey.of(training))
        assert world.means.slots.locked()

        world.apply(run=(first, second))
        child = await world.child_of(AttemptKey.of(first))
        assert world.means.inference_slots.locked()
        assert len([one for one in world.children if one.heard]) == 2

        await finish(child)
        await world.child_of(AttemptKey.of(second))


async def test_a_newer_attempt_of_the_job_ends_the_older_one(world: World) -> None:
    """The lease was lost while the host was out of reach, and the job came back to it."""
    older = toy_order()
    newer = toy_order(job_id=older.job.rpartition("/")[2], attempt=2)
    world.apply(run=(older,))
    child = await world.child_of(AttemptKey.of(older))
    world.apply(run=(newer,))
    await world.child_of(AttemptKey.of(newer))
    assert (await world.report_when_over(AttemptKey.of(older))).outcome == ATTEMPT_OUTCOME_LOST
    assert child.returncode == -9


async def test_a_stale_attempt_that_ended_is_thrown_away(world: World) -> None:
    order = toy_order()
    key = AttemptKey.of(order)
    world.apply(run=(order,))
    await finish(await world.child_of(key))
    await world.report_when_over(key)
    await eventually(lambda: world.supervisor.num_running == 0)
    world.apply(stop=(AttemptStop(job=key.job, attempt=1, reason=AttemptStop.REASON_STALE),))
    assert world.table.reports() == []


async def test_a_stop_for_an_unknown_attempt_is_ignored(world: World) -> None:
    world.apply(stop=(AttemptStop(job=toy_order().job, attempt=1, reason=AttemptStop.REASON_CANCEL),))
    assert world.table.reports() == []


async def test_an_order_with_a_name_that_is_none_harms_nobody(world: World) -> None:
    bad, good = toy_order(), toy_order()
    bad.job = "projects/p/jobs/../../x"
    world.apply(run=(bad, good))
    await world.child_of(AttemptKey.of(good))
    assert [report.job for report in world.table.reports()] == [good.job]


async def test_a_draining_host_stops_what_trains_and_says_that_it_takes_nothing_new(world: World) -> None:
    order, late = toy_order(), toy_order()
    key = AttemptKey.of(order)
    world.apply(run=(order,))
    child = await world.child_of(key)
    child.says.put_nowait(Stopped(reason="PREEMPT", step=3))
    async with asyncio.TaskGroup() as group:
        group.create_task(world.supervisor.drain(2))
        await asyncio.sleep(0)
        world.apply(run=(late,))
        world.apply(run=(late,))
    report = await world.report_when_over(key)
    assert (report.outcome, report.failure.reason, report.step) == (ATTEMPT_OUTCOME_LOST, "HOST_STOPPED", 3)
    refused = world.table.get(AttemptKey.of(late))
    assert refused is not None
    assert (refused.outcome, refused.failure.reason, refused.step) == (ATTEMPT_OUTCOME_LOST, "HOST_DRAINING", 0)
    assert len(world.table.reports()) == 2


async def test_a_drain_ends_in_time_when_an_attempt_does_not(tmp_path: Path, channel: grpc.aio.Channel) -> None:
    async with a_world(tmp_path, channel, stop_limit_seconds=60) as world:
        order = toy_order()
        world.apply(run=(order,))
        await world.child_of(AttemptKey.of(order))
        async with asyncio.timeout(1):
            await world.supervisor.drain(0.1)


async def test_what_an_earlier_start_left_in_the_outbox_is_delivered(
    tmp_path: Path, channel: grpc.aio.Channel, gateway: FakeGateway
) -> None:
    """P11 and F17: the agent dies between the outbox and the commit."""
    order = toy_order()
    key = AttemptKey.of(order)
    gateway.committing.close()
    async with a_world(tmp_path, channel) as first:
        first.apply(run=(order,))
        await finish(await first.child_of(key))
        await eventually(lambda: "CommitResult" in gateway.calls)
        await eventually(lambda: first.outbox.entries() != [])
    assert gateway.commits == []
    gateway.committing.open()
    async with a_world(tmp_path, channel) as second:
        assert (await second.report_when_over(key)).outcome == ATTEMPT_OUTCOME_SUCCEEDED
        await eventually(lambda: second.outbox.entries() == [])
    # The first start's call may still have got through; it is the same bundle, so the second is a DUPLICATE.
    assert {commit.bundle.digest for commit in gateway.commits} == {gateway.commits[0].bundle.digest}


async def test_a_cancellation_reaches_a_result_that_an_earlier_start_left(
    tmp_path: Path, channel: grpc.aio.Channel, gateway: FakeGateway
) -> None:
    order = toy_order()
    key = AttemptKey.of(order)
    gateway.committing.close()
    async with a_world(tmp_path, channel) as first:
        first.apply(run=(order,))
        await finish(await first.child_of(key))
        await eventually(lambda: "CommitResult" in gateway.calls)
        # It is sealed beside the delivery, and only then outlives this start.
        await eventually(lambda: first.outbox.entries() != [])
    async with a_world(tmp_path, channel) as second:
        second.apply(stop=(AttemptStop(job=key.job, attempt=1, reason=AttemptStop.REASON_CANCEL),))
        assert (await second.report_when_over(key)).outcome == ATTEMPT_OUTCOME_CANCELLED
        await eventually(lambda: second.outbox.entries() == [])
    assert gateway.commits == []


async def test_all_can_be_stopped_when_nobody_hears_the_scheduler(world: World) -> None:
    order = toy_order()
    world.apply(run=(order,))
    await world.child_of(AttemptKey.of(order))
    world.supervisor.stop_all(StopReason.ORPHANED)
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.outcome, report.failure.reason) == (ATTEMPT_OUTCOME_LOST, "ORPHANED")
