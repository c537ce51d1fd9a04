from headway.testing.builders import A_MOMENT, a_claimed_record
from headway.testing.clock import ManualClock
from scheduler.pulse import Pulse
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage, running


async def a_pulse() -> tuple[Stage, Pulse]:
    stage = await a_stage()
    await stage.store(a_claimed_record())
    return stage, Pulse(stage.view, stage.clock, lease_seconds=LEASE_SECONDS)


def lease_end(stage: Stage) -> float:
    (end,) = stage.view.snapshot().lease_ends.values()
    return end


async def test_a_process_that_was_stopped_starts_every_lease_anew() -> None:
    stage, pulse = await a_pulse()
    await stage.clock.advance(3 * LEASE_SECONDS)

    pulse.feel()

    assert lease_end(stage) == 4 * LEASE_SECONDS


async def test_a_pulse_that_is_felt_in_time_changes_nothing() -> None:
    stage, pulse = await a_pulse()
    for _ in range(4):
        await stage.clock.advance(LEASE_SECONDS / 5)
        pulse.feel()

    assert lease_end(stage) == LEASE_SECONDS


async def test_half_a_lease_is_still_in_time() -> None:
    stage, pulse = await a_pulse()
    await stage.clock.advance(LEASE_SECONDS / 2)
    pulse.feel()

    assert lease_end(stage) == LEASE_SECONDS


async def test_the_loop_feels_it_five_times_a_lease() -> None:
    stage, pulse = await a_pulse()
    async with running(pulse.run):
        await stage.clock.advance(LEASE_SECONDS * 0.9)
        pulse.feel()

    assert lease_end(stage) == LEASE_SECONDS


async def test_a_jump_of_the_wall_clock_is_no_stall() -> None:
    stage, pulse = await a_pulse()
    stage.clock.set_wall(A_MOMENT.replace(year=2030))
    pulse.feel()

    assert isinstance(stage.clock, ManualClock)
    assert lease_end(stage) == LEASE_SECONDS
