import asyncio
from datetime import UTC, datetime, timedelta

from headway.testing.clock import ManualClock


async def test_sleepers_wake_in_the_order_of_their_deadlines_and_at_their_time(clock: ManualClock) -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("late", 3))
        group.create_task(sleeper("early", 1))
        await clock.advance(2)
        assert woken == [("early", 1.0)]
        await clock.advance(2)

    assert woken == [("early", 1.0), ("late", 3.0)]
    assert clock.monotonic() == 4.0


async def test_a_loop_ticks_once_for_each_interval(clock: ManualClock) -> None:
    ticks: list[float] = []

    async def loop() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.advance(3.5)
    task.cancel()

    assert ticks == [1.0, 2.0, 3.0]


async def test_a_wait_times_out_when_the_clock_says_so(clock: ManualClock) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(clock.wait_for_event(event, 5))
    await clock.advance(4)
    assert not waiting.done()

    await clock.advance(1)

    assert await waiting is False


async def test_a_wait_ends_when_the_event_is_set(clock: ManualClock) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(clock.wait_for_event(event, 5))
    await clock.advance(1)

    event.set()

    assert await waiting is True
    await clock.advance(10)


async def test_a_jump_of_the_wall_moves_no_sleeper(clock: ManualClock) -> None:
    sleeper = asyncio.create_task(clock.sleep(10))
    await clock.advance(1)

    clock.set_wall(datetime(2040, 1, 1, tzinfo=UTC))
    await clock.advance(1)

    assert not sleeper.done()
    assert clock.now() == datetime(2040, 1, 1, tzinfo=UTC) + timedelta(seconds=1)
    assert clock.monotonic() == 2.0
    sleeper.cancel()
