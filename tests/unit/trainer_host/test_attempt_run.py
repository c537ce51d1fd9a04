import asyncio
import errno
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.errors import AlreadySaved, HeadwayError, InvalidManifest, JobCancelled, StaleAttempt
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_PREEMPTED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_EVALUATING,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    AttemptOutcome,
    FailureClass,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptStop
from tests.contract.fake_gateway import FakeGateway
from tests.contract.host_process import toy_order
from tests.unit.trainer_host.doubles import FakeChild
from tests.unit.trainer_host.world import STOP_LIMIT_SECONDS, World, a_world, finish
from trainer_host.attempt_key import AttemptKey
from trainer_host.child_messages import Failed, Progress, RunAttempt, Stop, Stopped
from trainer_host.child_messages import FailureClass as ChildFailureClass
from trainer_host.child_translation import stop_message
from trainer_host.stop_request import StopReason


@pytest.fixture
async def world(tmp_path: Path, channel: grpc.aio.Channel) -> AsyncIterator[World]:
    async with a_world(tmp_path, channel) as made:
        yield made


@pytest.fixture
def order() -> AttemptOrder:
    return toy_order()


def stop(order: AttemptOrder, reason: "AttemptStop.Reason.ValueType") -> AttemptStop:
    return AttemptStop(job=order.job, attempt=order.attempt, reason=reason)


def full_disk(_: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def begun(world: World, order: AttemptOrder) -> FakeChild:
    world.apply(run=(order,))
    return await world.child_of(AttemptKey.of(order))


async def test_a_finished_attempt_is_committed_with_its_log(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    child = await begun(world, order)
    await finish(child, lines=("one", "two"))
    report = await world.report_when_over(AttemptKey.of(order))
    assert report.outcome == ATTEMPT_OUTCOME_SUCCEEDED
    [commit] = gateway.commits
    assert (commit.job, commit.attempt, commit.host) == (order.job, 1, "hosts/h")
    assert [line.message for line in gateway.lines[AttemptKey.of(order)].values()] == ["one", "two"]
    await eventually(lambda: world.outbox.entries() == [])
    await eventually(lambda: list(world.means.work_dir.iterdir()) == [])
    await eventually(lambda: child.is_closed)


async def test_the_last_lines_are_there_before_the_result_is(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    """Who follows a log stops when the job is over."""
    gateway.committing.close()
    await finish(await begun(world, order), lines=("last words",))
    await eventually(lambda: "CommitResult" in gateway.calls)
    assert [line.message for line in gateway.lines[AttemptKey.of(order)].values()] == ["last words"]
    gateway.committing.open()


async def test_progress_reaches_the_scheduler_and_the_gateway(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="EVALUATING", step=17, loss=0.5, measure_time=1.0))
    await eventually(lambda: gateway.progress)
    [report] = world.table.reports()
    assert (report.phase, report.progress.step, report.progress.loss) == (ATTEMPT_PHASE_EVALUATING, 17, 0.5)
    assert gateway.progress[0].step == 17


@pytest.mark.parametrize(
    ("word", "failure_class"),
    [
        ("USER_INPUT", FAILURE_CLASS_USER_INPUT),
        ("TRANSIENT", FAILURE_CLASS_TRANSIENT),
        ("FATAL", FAILURE_CLASS_FATAL),
    ],
)
async def test_a_failure_keeps_the_class_that_the_recipe_gave_it(
    world: World, order: AttemptOrder, word: ChildFailureClass, failure_class: "FailureClass.ValueType"
) -> None:
    child = await begun(world, order)
    child.says.put_nowait(Failed(failure_class=word, reason="WHY", message="because", step=4))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.outcome, report.step) == (ATTEMPT_OUTCOME_FAILED, 4)
    assert (report.failure.failure_class, report.failure.reason) == (failure_class, "WHY")


async def test_a_child_that_dies_without_a_word_is_a_transient_failure(world: World, order: AttemptOrder) -> None:
    """F18."""
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="TRAINING", step=17, measure_time=1.0))
    child.die(-11)
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.failure.failure_class, report.failure.reason) == (FAILURE_CLASS_TRANSIENT, "CHILD_DIED")
    assert "SIGSEGV" in report.failure.message
    assert report.step == 17


async def test_a_child_that_dies_before_it_has_the_order_is_a_transient_failure(
    tmp_path: Path, channel: grpc.aio.Channel, order: AttemptOrder
) -> None:
    class Deaf(FakeChild):
        async def send(self, message: RunAttempt | Stop) -> None:
            self.die(-9)
            await super().send(message)

    async with a_world(tmp_path, channel, child=Deaf()) as world:
        world.apply(run=(order,))
        report = await world.report_when_over(AttemptKey.of(order))
        assert report.failure.reason == "CHILD_DIED"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (AttemptStop.REASON_CANCEL, ATTEMPT_OUTCOME_CANCELLED),
        (AttemptStop.REASON_PAUSE, ATTEMPT_OUTCOME_PAUSED),
        (AttemptStop.REASON_PREEMPT, ATTEMPT_OUTCOME_PREEMPTED),
    ],
)
async def test_a_stop_is_passed_to_the_child_and_ends_as_it_says(
    world: World,
    order: AttemptOrder,
    reason: "AttemptStop.Reason.ValueType",
    outcome: "AttemptOutcome.ValueType",
) -> None:
    child = await begun(world, order)
    world.apply(stop=(stop(order, reason),))
    await eventually(lambda: any(isinstance(message, Stop) for message in child.heard))
    child.says.put_nowait(Stopped(reason="CANCEL", step=6))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.outcome, report.step) == (outcome, 6)


async def test_a_child_that_does_not_stop_in_time_is_killed(world: World, order: AttemptOrder) -> None:
    """P21."""
    child = await begun(world, order)
    world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
    assert child.returncode == -9


async def test_a_paused_child_that_has_no_step_left_may_take_its_time(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    """Killing it would throw away all that it has trained: it is given up only for a harder stop."""
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="EVALUATING", step=9, measure_time=1.0))
    await eventually(lambda: gateway.progress)
    world.apply(stop=(stop(order, AttemptStop.REASON_PAUSE),))
    await asyncio.sleep(3 * STOP_LIMIT_SECONDS)
    assert child.returncode is None
    await finish(child)
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_cancellation_after_a_pause_is_told_to_the_child_and_has_its_limit(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    """P21."""
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="EVALUATING", step=9, measure_time=1.0))
    await eventually(lambda: gateway.progress)
    for reason in (AttemptStop.REASON_PAUSE, AttemptStop.REASON_CANCEL):
        world.apply(stop=(stop(order, reason),))
        await eventually(partial(child.heard.__contains__, stop_message(StopReason.of(stop(order, reason)))))
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
    assert child.returncode == -9
    assert gateway.commits == []


async def test_a_paused_child_that_still_trains_and_does_not_stop_is_killed(world: World, order: AttemptOrder) -> None:
    child = await begun(world, order)
    child.says.put_nowait(Progress(phase="TRAINING", step=9, measure_time=1.0))
    world.apply(stop=(stop(order, AttemptStop.REASON_PAUSE),))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.outcome, report.step) == (ATTEMPT_OUTCOME_PAUSED, 9)
    assert child.returncode == -9


async def test_a_stale_attempt_is_killed_at_once(
    tmp_path: Path, channel: grpc.aio.Channel, order: AttemptOrder
) -> None:
    """P16: what a stale attempt would still do, nobody takes."""
    async with a_world(tmp_path, channel, stop_limit_seconds=60) as world:
        child = await begun(world, order)
        world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
        await eventually(lambda: any(isinstance(message, Stop) for message in child.heard))
        world.apply(stop=(stop(order, AttemptStop.REASON_STALE),))
        assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_LOST
        assert child.returncode == -9


async def test_a_cancelled_attempt_that_finished_all_the_same_is_thrown_away(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    child = await begun(world, order)
    world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
    await eventually(lambda: any(isinstance(message, Stop) for message in child.heard))
    await finish(child)
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
    assert world.outbox.entries() == []
    assert gateway.commits == []


async def test_a_paused_attempt_that_was_just_done_is_delivered(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    child = await begun(world, order)
    world.apply(stop=(stop(order, AttemptStop.REASON_PAUSE),))
    await eventually(lambda: any(isinstance(message, Stop) for message in child.heard))
    await finish(child)
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_cancellation_during_the_delivery_throws_the_result_away(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    gateway.committing.close()
    await finish(await begun(world, order))
    await eventually(lambda: "CommitResult" in gateway.calls)
    await eventually(lambda: world.table.reports()[0].phase == ATTEMPT_PHASE_UPLOADING)
    world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
    await eventually(lambda: world.outbox.entries() == [])


async def test_a_pause_during_the_delivery_changes_nothing(
    world: World, order: AttemptOrder, gateway: FakeGateway
) -> None:
    gateway.committing.close()
    await finish(await begun(world, order))
    await eventually(lambda: "CommitResult" in gateway.calls)
    world.apply(stop=(stop(order, AttemptStop.REASON_PAUSE),))
    gateway.committing.open()
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_SUCCEEDED


@pytest.mark.parametrize("where", ["slot", "input", "child"])
async def test_an_attempt_can_be_cancelled_before_it_has_a_child(
    tmp_path: Path, channel: grpc.aio.Channel, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async with a_world(tmp_path, channel, num_slots=1) as world:
        order = toy_order(inputs=(gateway.add(b"table"),))
        if where == "slot":
            await begun(world, toy_order())
        if where == "input":
            gateway.downloads.close()
        if where == "child":
            monkeypatch.setattr(world.means.pool, "take", asyncio.Event().wait)
        world.apply(run=(order,))
        await asyncio.sleep(0.05)
        world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
        assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
        assert world.means.slots.locked() is (where == "slot")


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (StaleAttempt("moved"), ATTEMPT_OUTCOME_LOST, "STALE_ATTEMPT"),
        (JobCancelled("cancelled"), ATTEMPT_OUTCOME_CANCELLED, "CANCELLED"),
        (AlreadySaved("saved"), ATTEMPT_OUTCOME_LOST, "ALREADY_SAVED"),
    ],
)
async def test_a_result_that_nobody_wants_is_discarded(
    world: World,
    order: AttemptOrder,
    gateway: FakeGateway,
    error: HeadwayError,
    outcome: "AttemptOutcome.ValueType",
    reason: str,
) -> None:
    gateway.faults.errors["CommitResult"] = [error]
    await finish(await begun(world, order))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.outcome, report.failure.reason) == (outcome, reason)
    await eventually(lambda: world.outbox.entries() == [])


async def test_a_rejected_result_fails_for_good_and_is_kept_for_a_person(
    world: World, order: AttemptOrder, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.faults.errors["CommitResult"] = [InvalidManifest("no good") for _ in range(3)]
    await finish(await begun(world, order))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.failure.failure_class, report.failure.reason) == (FAILURE_CLASS_FATAL, "RESULT_REJECTED")
    await eventually(lambda: world.outbox.entries() == [])
    await eventually((tmp_path / "outbox" / "rejected" / AttemptKey.of(order).file_name).exists)


async def test_a_full_disk_does_not_keep_a_result_from_the_gateway(
    world: World, order: AttemptOrder, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F24."""
    monkeypatch.setattr("trainer_host.outbox.fsync_tree", full_disk)
    await finish(await begun(world, order))
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_full_disk_is_waited_out_while_the_gateway_is_away(
    world: World, order: AttemptOrder, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F24."""
    gateway.committing.close()
    with monkeypatch.context() as patch:
        patch.setattr("trainer_host.outbox.fsync_tree", full_disk)
        await finish(await begun(world, order))
        await eventually(lambda: "CommitResult" in gateway.calls)
        assert world.outbox.entries() == []
    await eventually(lambda: [entry.key for entry in world.outbox.entries()] == [AttemptKey.of(order)])
    gateway.committing.open()
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_SUCCEEDED


async def test_a_result_for_which_there_is_no_room_waits_and_is_told_of(
    world: World, order: AttemptOrder, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F24, P11: not even a folder can be made for it; it is not trained again."""
    key = AttemptKey.of(order)
    with monkeypatch.context() as patch:
        patch.setattr("trainer_host.outbox.make_folder", full_disk)
        await finish(await begun(world, order))

        def is_told() -> bool:
            return any("waits for this host's disk" in line.message for line in gateway.lines.get(key, {}).values())

        await eventually(is_told)
        assert "CommitResult" not in gateway.calls
    assert (await world.report_when_over(key)).outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_cancellation_ends_the_wait_for_a_full_disk(
    world: World, order: AttemptOrder, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.committing.close()
    monkeypatch.setattr("trainer_host.outbox.fsync_tree", full_disk)
    await finish(await begun(world, order))
    await eventually(lambda: "CommitResult" in gateway.calls)
    world.apply(stop=(stop(order, AttemptStop.REASON_CANCEL),))
    assert (await world.report_when_over(AttemptKey.of(order))).outcome == ATTEMPT_OUTCOME_CANCELLED
    await eventually(lambda: world.supervisor.num_running == 0)


async def test_a_fault_of_the_host_is_told_and_tried_again_elsewhere(
    world: World, order: AttemptOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect, with /secret/paths")

    monkeypatch.setattr("trainer_host.attempt_run.run_message", broken)
    world.apply(run=(order,))
    report = await world.report_when_over(AttemptKey.of(order))
    assert (report.failure.failure_class, report.failure.reason) == (FAILURE_CLASS_TRANSIENT, "HOST_ERROR")
    assert "/secret" not in report.failure.message
    assert world.means.slots._value == 2


async def test_the_next_child_is_made_when_the_first_one_speaks(world: World, order: AttemptOrder) -> None:
    child = await begun(world, order)
    await asyncio.sleep(0.05)
    assert len(world.children) == 1
    child.says.put_nowait(Progress(phase="TRAINING", step=1, measure_time=1.0))
    await eventually(lambda: len(world.children) == 2)
