import asyncio

import pytest

from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_PREEMPTED,
)
from headway.v1.scheduler_service_pb2 import AttemptStop
from trainer_host.stop_request import Stopped, StopReason, StopRequest


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (AttemptStop.REASON_PAUSE, StopReason.PAUSE),
        (AttemptStop.REASON_CANCEL, StopReason.CANCEL),
        (AttemptStop.REASON_PREEMPT, StopReason.PREEMPT),
        (AttemptStop.REASON_STALE, StopReason.STALE),
        (AttemptStop.REASON_UNSPECIFIED, StopReason.CANCEL),
    ],
)
def test_every_word_of_the_scheduler_is_a_reason(word: "AttemptStop.Reason.ValueType", reason: StopReason) -> None:
    assert StopReason.of(AttemptStop(reason=word)) is reason


def test_a_reason_of_a_later_release_still_stops_the_attempt() -> None:
    stop = AttemptStop.FromString(AttemptStop(reason=AttemptStop.REASON_PAUSE).SerializeToString()[:-1] + b"\x63")
    assert StopReason.of(stop) is StopReason.CANCEL


def test_each_reason_has_its_outcome() -> None:
    assert {reason: reason.outcome for reason in StopReason} == {
        StopReason.PAUSE: ATTEMPT_OUTCOME_PAUSED,
        StopReason.CANCEL: ATTEMPT_OUTCOME_CANCELLED,
        StopReason.PREEMPT: ATTEMPT_OUTCOME_PREEMPTED,
        StopReason.STALE: ATTEMPT_OUTCOME_LOST,
        StopReason.HOST_STOPPED: ATTEMPT_OUTCOME_LOST,
        StopReason.ORPHANED: ATTEMPT_OUTCOME_LOST,
        StopReason.MAX_RUNTIME: ATTEMPT_OUTCOME_PAUSED,
    }


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ([StopReason.PAUSE, StopReason.PREEMPT], StopReason.PAUSE),
        ([StopReason.PAUSE, StopReason.CANCEL], StopReason.CANCEL),
        ([StopReason.CANCEL, StopReason.PAUSE], StopReason.CANCEL),
        ([StopReason.CANCEL, StopReason.STALE], StopReason.STALE),
        ([StopReason.STALE, StopReason.CANCEL], StopReason.STALE),
        ([StopReason.HOST_STOPPED, StopReason.CANCEL], StopReason.CANCEL),
    ],
)
def test_a_later_reason_counts_when_it_leaves_less(asked: list[StopReason], kept: StopReason) -> None:
    stop = StopRequest()
    for reason in asked:
        stop.ask(reason)
    assert stop.reason is kept


def test_asking_twice_changes_nothing() -> None:
    stop = StopRequest()
    assert stop.ask(StopReason.CANCEL)
    assert not stop.ask(StopReason.CANCEL)


async def test_work_is_given_up_when_a_stop_is_asked_for() -> None:
    stop, was_cancelled = StopRequest(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.set()
            raise

    asyncio.get_running_loop().call_later(0.01, stop.ask, StopReason.PAUSE)
    with pytest.raises(Stopped):
        await stop.unless_asked(work())
    assert was_cancelled.is_set()


async def test_a_pause_does_not_end_what_only_a_cancellation_may_end() -> None:
    stop = StopRequest()
    stop.ask(StopReason.PAUSE)
    assert await stop.unless_final(asyncio.sleep(0, "done")) == "done"
    stop.ask(StopReason.CANCEL)
    with pytest.raises(Stopped):
        await stop.unless_final(asyncio.Event().wait())


async def test_the_error_of_the_work_is_raised_as_it_is() -> None:
    async def work() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await StopRequest().unless_asked(work())


async def test_being_cancelled_oneself_is_not_a_stop() -> None:
    stop = StopRequest()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(stop.unless_asked(asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
