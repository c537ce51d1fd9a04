"""The supervisor with stand-ins for services: real processes that announce themselves as services do."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from headway.cli.stack.home import Home
from headway.cli.stack.ports import Ports
from headway.cli.stack.restarts import RestartPolicy
from headway.cli.stack.services import ServicePlan, StackOptions
from headway.cli.stack.supervisor import CannotStart, Notice, Supervisor
from headway.runtime.clock import SystemClock
from headway.testing.eventually import eventually

# Announces itself, then sleeps; says in a file when it was asked to stop.
SERVICE = """
import json, os, pathlib, signal, sys, time
name, run, stubborn = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] == "stubborn"
def stop(*_):
    with open(run / "stopped", "a") as file: file.write(name + " ")
    if not stubborn: sys.exit(0)
signal.signal(signal.SIGTERM, stop)
(run / f"{name}.json").write_text(json.dumps({"pid": os.getpid(), "address": ""}))
while True: time.sleep(60)
"""
QUICK = RestartPolicy(first_wait_seconds=0.01)


def service(home: Home, name: str, rank: int = 0, *, how: str = "polite", program: str = SERVICE) -> ServicePlan:
    command = (sys.executable, "-c", program, name, str(home.run), how)
    return ServicePlan(name, command, {"PATH": os.environ["PATH"]}, "", rank)


def options_for(home: Home) -> StackOptions:
    return StackOptions(home, Ports(1, 2, 3, 4, 5, 6), home.data)


@asynccontextmanager
async def running(home: Home, *plans: ServicePlan) -> AsyncGenerator[tuple[Supervisor, list[Notice]]]:
    notices: list[Notice] = []
    supervisor = Supervisor(plans, options_for(home), SystemClock(), tell=notices.append, policy=QUICK)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        assert await supervisor.wait_ready(10)
        try:
            yield supervisor, notices
        finally:
            supervisor.stop()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.make()
    return home


async def test_a_service_that_dies_is_started_again(home: Home) -> None:
    async with running(home, service(home, "a")) as (supervisor, notices):
        first = supervisor.pid_of("a")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        second = await eventually(lambda: (pid := supervisor.pid_of("a")) != first and pid)
        assert second != first
        assert "signal 9" in notices[0].text


async def test_services_stop_in_order_of_their_rank(home: Home) -> None:
    async with running(home, service(home, "last", 2), service(home, "first", 0), service(home, "middle", 1)):
        pass
    assert (home.run / "stopped").read_text(encoding="utf-8").split() == ["first", "middle", "last"]
    assert not home.run_file.exists()


async def test_killing_does_not_wait_for_a_service_that_will_not_stop(home: Home) -> None:
    async with running(home, service(home, "a", how="stubborn")) as (supervisor, _):
        pid = supervisor.pid_of("a")
        supervisor.stop()
        await eventually((home.run / "stopped").exists)
        supervisor.kill()
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_service_that_cannot_start_ends_everything(home: Home) -> None:
    plans = (service(home, "good"), service(home, "bad", program="import sys; sys.exit(2)"))
    supervisor = Supervisor(plans, options_for(home), SystemClock(), tell=lambda _: None, policy=QUICK)
    with pytest.raises(CannotStart, match="refused its settings"):
        await supervisor.run()
    assert supervisor.pid_of("good") is None


async def test_the_run_file_names_every_process(home: Home) -> None:
    async with running(home, service(home, "a")) as (supervisor, _):
        assert f'"pid": {supervisor.pid_of("a")}' in home.run_file.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_nothing_is_left_behind_when_the_supervisor_is_killed(home: Home) -> None:
    program = f"""
import asyncio, pathlib, sys
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from tests.unit.cli.stack.test_supervisor import *
async def main():
    home = Home(pathlib.Path({str(home.root)!r}))
    async with running(home, service(home, "a", how="stubborn")) as (supervisor, _):
        print(supervisor.pid_of("a"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    pid = int(await supervisor.stdout.readline())
    assert psutil.pid_exists(pid)
    supervisor.kill()
    await supervisor.communicate()
    await eventually(lambda: not psutil.pid_exists(pid))
