"""When a nats-server that stores nothing any more is started again (P28)."""

import asyncio
from pathlib import Path

import pytest

from headway.cli.stack.store_watch import LOOK_SECONDS, ROOM_BYTES, StoreWatch, is_to_be_restarted
from headway.runtime.durability import Ailment
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually


@pytest.mark.parametrize(
    ("ailment", "free", "helps"),
    [
        (None, 0, False),
        (Ailment.NO_ROOM, ROOM_BYTES - 1, False),
        (Ailment.NO_ROOM, ROOM_BYTES, True),
        (Ailment.FAILING_DISK, 0, True),
    ],
)
def test_a_restart_waits_for_room(ailment: Ailment | None, free: int, helps: bool) -> None:
    assert is_to_be_restarted(ailment, free) is helps


async def test_a_store_that_ran_full_is_told_once_and_restarted_when_there_is_room(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ailment: Ailment | None = None
    free, restarts, told = 0, 0, list[str]()

    async def find(_: str) -> Ailment | None:
        return ailment

    def restart() -> None:
        nonlocal restarts
        restarts += 1

    monkeypatch.setattr("headway.cli.stack.store_watch.find_ailment", find)
    monkeypatch.setattr("headway.cli.stack.store_watch.free_bytes", lambda _: free)
    stopping = asyncio.Event()
    watch = StoreWatch("http://nowhere", tmp_path, restart, told.append, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.run(stopping))
        await clock.advance(LOOK_SECONDS)
        assert told == []
        ailment = Ailment.NO_ROOM
        for _ in range(3):
            await clock.advance(LOOK_SECONDS)
        await eventually(lambda: len(told) == 1)
        assert "its disk is full" in told[0]
        assert restarts == 0
        free = ROOM_BYTES
        await clock.advance(LOOK_SECONDS)
        await eventually(lambda: restarts == 1)
        stopping.set()
