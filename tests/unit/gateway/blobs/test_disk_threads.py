import asyncio
import threading

import pytest

from gateway.blobs.disk_threads import DiskThreads, finish


async def test_work_runs_beside_the_event_loop() -> None:
    async with DiskThreads() as threads:
        assert await threads.run(threading.get_ident) != threading.get_ident()
        assert await threads.run(int, "7") == 7


async def test_a_cancelled_waiter_waits_for_the_thread() -> None:
    """Its clean-up would otherwise race with the thread over the file."""
    begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        has_ended.set()

    async with DiskThreads() as threads:
        task = asyncio.create_task(threads.run(work))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert has_ended.is_set()


async def test_an_error_that_nobody_is_left_to_hear_is_dropped() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(5)
        raise ValueError

    async with DiskThreads() as threads:
        task = asyncio.create_task(finish(threads.start(work)))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_last_clean_up_is_done_after_the_end_too() -> None:
    async with DiskThreads() as threads:
        pass
    assert await threads.run(int, "7") == 7
