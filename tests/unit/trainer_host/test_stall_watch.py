"""A child that lives and does not get on (F27)."""

import asyncio

import pytest

from headway.testing.clock import ManualClock
from trainer_host.child_messages import ChildMessage, Log, Phase, Progress, Saved
from trainer_host.stall_watch import StallWatch

LIMIT_SECONDS = 80.0
A_LINE = Log(time=0.0, level="info", message="still here")


def a_step(number: int, phase: Phase = "TRAINING") -> Progress:
    return Progress(phase=phase, step=number, measure_time=0.0)


async def is_stalled_after(
    clock: ManualClock, *words: ChildMessage, every: float, before: Progress | None = None
) -> bool:
    """Whether a child that says these words one by one is found stalled by the last of them."""
    watch = StallWatch(LIMIT_SECONDS, clock)
    if before is not None:
        watch.note(before)
    watching = asyncio.create_task(watch.until_stalled())
    for word in words:
        await clock.advance(every)
        watch.note(word)
    await clock.advance(0.0)
    is_done = watching.done()
    watching.cancel()
    return is_done


async def test_a_child_that_takes_steps_gets_on(clock: ManualClock) -> None:
    assert not await is_stalled_after(clock, *(a_step(number) for number in range(1, 9)), every=70.0)


@pytest.mark.parametrize("word", [A_LINE, a_step(5), Saved(folder="f", step=5, manifest_digest="", artifacts=())])
async def test_while_it_takes_steps_only_a_further_step_counts(clock: ManualClock, word: ChildMessage) -> None:
    assert await is_stalled_after(clock, *[word] * 20, every=10.0, before=a_step(5))


async def test_where_it_takes_no_steps_any_word_counts(clock: ManualClock) -> None:
    loading = a_step(0, "LOADING_DATA")
    assert not await is_stalled_after(clock, *[A_LINE] * 20, every=10.0, before=loading)
    assert not await is_stalled_after(clock, *[A_LINE] * 20, every=10.0, before=a_step(5, "EVALUATING"))
    assert not await is_stalled_after(clock, *[a_step(0)] * 20, every=10.0), "a recipe that counts no steps"


async def test_silence_is_a_stall_in_every_phase(clock: ManualClock) -> None:
    watch = StallWatch(LIMIT_SECONDS, clock)
    watch.note(a_step(0, "LOADING_DATA"))
    watching = asyncio.create_task(watch.until_stalled())
    await clock.advance(LIMIT_SECONDS - 1)
    assert not watching.done()
    await clock.advance(LIMIT_SECONDS / 8 + 1)
    assert watching.done()


async def test_a_new_phase_is_progress(clock: ManualClock) -> None:
    words = [a_step(5, phase) for phase in ("TRAINING", "EVALUATING", "EXPORTING") for _ in range(6)]
    assert not await is_stalled_after(clock, *words, every=12.0, before=a_step(4))
