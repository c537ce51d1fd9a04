"""Services in this process, and as processes of their own where signals and exits are what is tried."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headway.runtime.service import DrainLimits, Service
from headway.testing.eventually import eventually

QUICK = DrainLimits(hooks_seconds=0.2, loops_seconds=0.2, resources_seconds=0.2, total_seconds=5.0)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_service_that_is_told_to_stop_ends_in_order() -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def resource(name: str) -> AsyncIterator[str]:
        steps.append(f"open {name}")
        yield name
        steps.append(f"close {name}")

    async def loop() -> None:
        steps.append("loop")
        try:
            await forever()
        finally:
            steps.append("loop cancelled")

    async def hook() -> None:
        steps.append("drain")

    async with Service("test", limits=QUICK) as service:
        assert await service.enter(resource("bus")) == "bus"
        await service.enter(resource("server"))
        service.loop("loop", loop)
        service.on_drain("hook", hook)
        asyncio.get_running_loop().call_later(0.05, service.stop)
        assert await service.run() == 0

    assert steps == [
        "open bus",
        "open server",
        "loop",
        "drain",
        "loop cancelled",
        "close server",
        "close bus",
    ]


async def test_the_death_of_a_loop_stops_the_service() -> None:
    other = asyncio.Event()

    async def dies() -> None:
        raise ValueError("a defect")

    async def lives() -> None:
        try:
            await forever()
        finally:
            other.set()

    async with Service("test", limits=QUICK) as service:
        service.loop("dies", dies)
        service.loop("lives", lives)
        async with asyncio.timeout(2):
            assert await service.run() == 1
    assert other.is_set()


async def test_a_loop_that_returns_is_dead_too() -> None:
    async def returns() -> None:
        return

    async with Service("test", limits=QUICK) as service:
        service.loop("returns", returns)
        async with asyncio.timeout(2):
            assert await service.run() == 1


async def test_a_connection_that_is_closed_for_good_stops_the_service() -> None:
    closed = asyncio.Event()
    async with Service("test", limits=QUICK) as service:
        service.fatal_when(closed, "NATS is gone")
        asyncio.get_running_loop().call_later(0.05, closed.set)
        async with asyncio.timeout(2):
            assert await service.run() == 1


async def test_a_short_task_that_fails_hurts_nobody_else() -> None:
    done = asyncio.Event()

    async def fails() -> None:
        raise ValueError("a defect")

    async def works() -> None:
        done.set()

    async with Service("test", limits=QUICK) as service:

        async def loop() -> None:
            service.spawn("fails", fails())
            service.spawn("works", works())
            await done.wait()
            service.stop()
            await forever()

        service.loop("loop", loop)
        async with asyncio.timeout(2):
            assert await service.run() == 0


async def test_short_tasks_end_with_the_service() -> None:
    cancelled = asyncio.Event()

    async def long() -> None:
        try:
            await forever()
        finally:
            cancelled.set()

    async with Service("test", limits=QUICK) as service:

        async def loop() -> None:
            service.spawn("long", long())
            await asyncio.sleep(0)
            service.stop()
            await forever()

        service.loop("loop", loop)
        assert await service.run() == 0
    assert cancelled.is_set()


async def test_nothing_is_spawned_before_or_after_the_service_runs() -> None:
    async with Service("test", limits=QUICK) as service:
        with pytest.raises(RuntimeError, match="not running"):
            service.spawn("early", forever())
        service.stop()
        await service.run()
        with pytest.raises(RuntimeError, match="not running"):
            service.spawn("late", forever())


async def test_a_hook_that_hangs_is_cut_off() -> None:
    async with Service("test", limits=QUICK) as service:
        service.on_drain("hangs", forever)
        service.stop()
        before = time.perf_counter()
        assert await service.run() == 0
    assert time.perf_counter() - before < 2.0


async def test_hooks_run_at_the_same_time() -> None:
    """Each waits for the other; one after the other they would both be given up."""
    both, met = asyncio.Barrier(2), list[int]()

    async def hook() -> None:
        met.append(await both.wait())

    async with Service("test", limits=QUICK) as service:
        service.on_drain("one", hook)
        service.on_drain("two", hook)
        service.stop()
        await service.run()
    assert sorted(met) == [0, 1]


async def test_a_resource_that_does_not_close_is_left() -> None:
    @asynccontextmanager
    async def stuck() -> AsyncIterator[None]:
        yield
        await forever()

    before = time.perf_counter()
    async with Service("test", limits=QUICK) as service:
        await service.enter(stuck())
        service.stop()
        assert await service.run() == 0
    assert time.perf_counter() - before < 2.0


async def test_two_loops_cannot_share_a_name() -> None:
    async with Service("test", limits=QUICK) as service:
        service.loop("loop", forever)
        with pytest.raises(ValueError, match="two loops"):
            service.loop("loop", forever)


async def test_a_loop_that_swallows_cancellation_is_ended_by_force() -> None:
    forced: list[int] = []
    release = asyncio.Event()

    async def swallows() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    limits = DrainLimits(hooks_seconds=0.1, loops_seconds=0.1, resources_seconds=0.1, total_seconds=0.3)
    async with Service("test", limits=limits, exit_by_force=forced.append) as service:
        service.loop("swallows", swallows)
        service.stop()
        running = asyncio.create_task(service.run())
        await eventually(lambda: forced)
        release.set()
        await running
    assert forced == [1]


PROGRAM = """
import asyncio, sys, time
from headway.runtime.service import DrainLimits, Service, run_service
from headway.contract.errors import NotDurable
from headway.runtime.logs import configure_logging

configure_logging("test")

LIMITS = DrainLimits(hooks_seconds=0.5, loops_seconds=0.5, resources_seconds=0.5, total_seconds=1.5)

async def main():
    async with Service("test", limits=LIMITS) as service:
        {body}
        print("ready", flush=True)
        return await service.run()

sys.exit(run_service(main))
"""


def start(body: str) -> "subprocess.Popen[str]":
    program = PROGRAM.format(body=textwrap.indent(textwrap.dedent(body), "        ").strip())
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop_and_wait(process: "subprocess.Popen[str]", number: int) -> tuple[int, float, str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    before = time.perf_counter()
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    return process.returncode, time.perf_counter() - before, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_well(number: int) -> None:
    code, seconds, errors = stop_and_wait(start("service.loop('idle', asyncio.Event().wait)"), number)

    assert (code, "Traceback" in errors) == (0, False), errors
    assert seconds < 2.0


@pytest.mark.parametrize(
    "body",
    [
        "service.loop('busy', lambda: asyncio.to_thread(time.sleep, 60))",
        """
        async def blocks():
            await service.draining.wait()
            time.sleep(60)
        service.loop('blocks', blocks)
        """,
    ],
    ids=["a thread that does not end", "an event loop that is blocked"],
)
def test_a_process_that_hangs_is_ended_by_force(body: str) -> None:
    _, seconds, _ = stop_and_wait(start(body), signal.SIGTERM)

    assert seconds < 5.0


def test_a_signal_while_starting_ends_the_start() -> None:
    code, seconds, errors = stop_and_wait(start("print('ready', flush=True); await asyncio.sleep(60)"), signal.SIGTERM)

    assert (code, "Traceback" in errors) == (0, False), errors
    assert seconds < 2.0


def test_a_start_that_is_refused_says_why_without_a_traceback() -> None:
    process = start("raise NotDurable('set sync_interval: always')")
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "set sync_interval: always" in errors
    assert "Traceback" not in errors


def test_a_second_signal_ends_the_process_at_once() -> None:
    body = """
        async def hook():
            print("draining", flush=True)
            await asyncio.sleep(60)
        service.on_drain('slow', hook)
        """
    process = start(body)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "draining\n"

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)

    assert process.returncode == 130
