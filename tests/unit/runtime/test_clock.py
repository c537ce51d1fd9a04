import asyncio
from datetime import UTC

from headway.runtime.clock import SystemClock


async def test_the_wall_time_is_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


async def test_a_wait_ends_when_the_event_is_set() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, event.set)

    assert await SystemClock().wait_for_event(event, 5.0)


async def test_a_wait_ends_after_its_time() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    assert not await clock.wait_for_event(asyncio.Event(), 0.02)
    assert clock.monotonic() - before < 2.0


async def test_a_sleep_takes_its_time() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(0.02)

    assert clock.monotonic() - before >= 0.02
