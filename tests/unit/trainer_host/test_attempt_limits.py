"""What ends an attempt by the clock, a step that does not come or a run time that is used up; and what then stays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    FAILURE_CLASS_TRANSIENT,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder
from tests.contract.fake_gateway import FakeGateway
from tests.contract.host_process import toy_order
from tests.unit.trainer_host.doubles import FakeChild
from tests.unit.trainer_host.world import STOP_LIMIT_SECONDS, World, a_world, finish
from trainer_host.attempt_key import AttemptKey
from trainer_host.child_messages import Log, Progress, Stop, Stopped


@pytest.fixture
async def world(tmp_path: Path, channel: grpc.aio.Channel) -> AsyncIterator[World]:
    async with a_world(tmp_path, channel) as made:
        yield made


@pytest.fixture
def order() -> AttemptOrder:
    return toy_order()


async def begun(world: World, order: AttemptOrder) -> FakeChild:
    world.apply(run=(order,))
    return await world.child_of(AttemptKey.of(order))


async def test_a_child_that_takes_no_further_step_is_killed_and_the_attempt_fails_as_stalled(
    world: World, order: AttemptOrder
) -> None:
    """F27: it lives, and even writes its log."""
    order.spec.policies.timeout_per_step.FromMilliseconds(200)
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="TRAINING", step=17, measure_time=1.0))

    async with asyncio.TaskGroup() as group:
        talking = group.create_task(_talk_on(child))
        report = await world.report_when_over(AttemptKey.of(order))
        talking.cancel()

    assert (report.outcome, report.failure.reason, report.step) == (ATTEMPT_OUTCOME_FAILED, "PROGRESS_STALLED", 17)
    assert report.failure.failure_class == FAILURE_CLASS_TRANSIENT
    assert child.returncode == -9


async def _talk_on(child: FakeChild) -> None:
    while True:
        child.says.put_nowait(Log(time=1.0, level="info", message="still here"))
        await asyncio.sleep(0.02)


async def test_a_job_whose_run_time_is_used_up_is_saved_and_paused_by_its_host(
    world: World, order: AttemptOrder
) -> None:
    order.runtime_left.FromMilliseconds(50)
    child = await begun(world, order)
    await eventually(lambda: Stop(reason="PAUSE") in child.heard)
    child.says.put_nowait(Stopped(reason="PAUSE", step=5))

    report = await world.report_when_over(AttemptKey.of(order))

    assert (report.outcome, report.failure.reason, report.step) == (ATTEMPT_OUTCOME_PAUSED, "MAX_RUNTIME", 5)
    assert report.runtime.ToMilliseconds() >= 50


async def test_an_attempt_whose_last_step_is_done_outlasts_its_run_time(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    order.runtime_left.FromMilliseconds(50)
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="EXPORTING", step=17, measure_time=1.0))
    await eventually(lambda: Stop(reason="PAUSE") in child.heard)
    await asyncio.sleep(2 * STOP_LIMIT_SECONDS)
    await finish(child)

    report = await world.report_when_over(AttemptKey.of(order))

    assert report.outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_what_a_dying_child_still_writes_does_not_stay(
    tmp_path: Path, channel: grpc.aio.Channel, order: AttemptOrder
) -> None:
    """Found by the checker's clause (g): a child may be killed in the middle of making a file."""
    work_dir = tmp_path / "work" / AttemptKey.of(order).file_name

    class Dying(FakeChild):
        async def close(self) -> None:
            await asyncio.sleep(0.2)
            work_dir.mkdir(exist_ok=True)
            (work_dir / "late").touch()
            await super().close()

    child = Dying()
    async with a_world(tmp_path, channel, child=child) as world:
        (await begun(world, order)).die(-9)
        await world.report_when_over(AttemptKey.of(order))
        await eventually(lambda: child.is_closed and world.supervisor.num_running == 0)
        assert not work_dir.exists()
