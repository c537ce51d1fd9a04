"""The seam of agent and child, with real processes."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import psutil
import pytest

from headway.testing.eventually import eventually
from headway.testing.toy_recipe import TOY_RECIPE, ToySpec
from tests.attempt_runs import an_order
from trainer_host.child_messages import ChildMessage, Failed, Finished, Log, RunAttempt, Stop, Stopped
from trainer_host.child_process import KILLED, ChildDied, ChildProcess
from trainer_host.fork_server_client import ChildOptions, ForkServer
from trainer_host.recipes.registry import BUILT_IN

DEADLINE_SECONDS = 30
PROBE = """
import os
from headway.contract.recipes import Phase, RecipeNeeds, RecipeResult

class Probe:
    kind = "probe"
    requires = ()
    def needs(self, spec): return RecipeNeeds(seed=1)
    def warm_up(self): pass
    def train(self, context):
        context.step("Looking", Phase.TRAINING)
        import random, threading
        context.detail("seen", omp=os.environ.get("OMP_WAIT_POLICY"), hub=os.environ.get("HF_HUB_OFFLINE"),
                       number=random.random(), parent=os.getppid())
        return RecipeResult(task="probe")

def make(): return Probe()
"""
BROKEN = "raise RuntimeError('half of it is missing')\n"
STUCK = """
import ctypes
from headway.contract.recipes import Phase, RecipeNeeds, RecipeResult

class Stuck:
    kind = "stuck"
    requires = ()
    def needs(self, spec): return RecipeNeeds(seed=1)
    def warm_up(self): pass
    def train(self, context):
        context.step("Stuck", Phase.TRAINING)
        ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the interpreter's lock: no other thread of the child can run.
        return RecipeResult(task="stuck")

def make(): return Stuck()
"""


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of recipes of other people, on the path of the processes that the tests start."""
    folder = tmp_path_factory.mktemp("plugins")
    for name, text in {"probe_recipe": PROBE, "broken_recipe": BROKEN, "stuck_recipe": STUCK}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield folder


@pytest.fixture(scope="module")
def server(plugins: Path) -> Iterator[ForkServer]:
    """One for all tests of this file: its first child takes seconds."""
    recipes = (TOY_RECIPE, "probe=probe_recipe:make", "broken=broken_recipe:make", "stuck=stuck_recipe:make")
    running = ForkServer(ChildOptions(recipes=recipes))
    yield running
    asyncio.run(running.close())


async def a_child(server: ForkServer) -> ChildProcess:
    child = ChildProcess(server)
    await child.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await child.hello()
    return child


async def messages_of(child: ChildProcess) -> list[ChildMessage]:
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(child.messages()) as messages:
        return [message async for message in messages]


def toy_order(folder: Path, **fields: object) -> RunAttempt:
    return an_order(folder, ToySpec.model_validate(fields).job_spec())


async def test_a_child_says_what_it_can_do(server: ForkServer) -> None:
    child = await a_child(server)
    hello = await child.hello()
    await child.close()

    assert hello.pid == child.pid
    assert hello.torch_version.startswith("2.")
    assert hello.torch_problem == ""
    assert {report.kind for report in hello.recipes if report.available} == {*BUILT_IN, "toy", "probe", "stuck"}


async def test_a_recipe_that_does_not_import_is_reported_with_its_reason(server: ForkServer) -> None:
    child = await a_child(server)
    reports = {report.kind: report for report in (await child.hello()).recipes}
    await child.close()

    assert not reports["broken"].available
    assert "half of it is missing" in reports["broken"].problem


async def test_a_child_runs_its_attempt_and_exits(server: ForkServer, tmp_path: Path) -> None:
    child = await a_child(server)

    await child.send(toy_order(tmp_path))
    messages = await messages_of(child)
    await child.close()

    last = messages[-1]
    assert isinstance(last, Finished)
    assert Path(last.bundle_dir) == tmp_path / "bundle"
    assert {"toy.json", "logs.jsonl", "manifest.json"} == {path.name for path in (tmp_path / "bundle").iterdir()}
    assert child.returncode == 0


async def test_a_child_that_is_told_to_stop_stops_at_its_next_step(server: ForkServer, tmp_path: Path) -> None:
    child = await a_child(server)
    await child.send(toy_order(tmp_path, num_steps=100_000, step_seconds=0.01))

    last: ChildMessage | None = None
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(child.messages()) as messages:
        async for message in messages:
            if isinstance(message, Log) and message.message.startswith("Step 2"):
                await child.send(Stop(reason="PAUSE"))
            last = message
    await child.close()

    assert isinstance(last, Stopped)
    assert last.reason == "PAUSE"
    assert child.returncode == 0


@pytest.mark.parametrize(("how", "returncode"), [("EXIT", 7), ("KILL", KILLED)])
async def test_a_crash_ends_the_messages_and_is_told_by_the_exit_code(
    server: ForkServer, tmp_path: Path, how: str, returncode: int
) -> None:
    child = await a_child(server)
    await child.send(toy_order(tmp_path, fail_at_step=1, fail_class=how))

    messages = await messages_of(child)
    await child.close()

    assert not any(isinstance(message, Finished | Failed | Stopped) for message in messages)
    assert child.returncode == returncode


async def test_a_child_that_does_not_listen_can_be_killed(server: ForkServer, tmp_path: Path) -> None:
    child = await a_child(server)
    await child.send(an_order(tmp_path, ToySpec().job_spec(), kind="stuck"))
    await anext(child.messages())

    child.kill()

    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await child.wait() == KILLED
    await child.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_only_the_agent_ends_a_child(server: ForkServer, tmp_path: Path, number: signal.Signals) -> None:
    child = await a_child(server)

    os.kill(child.pid, number)
    os.kill(server.pid, number)
    await child.send(toy_order(tmp_path))

    assert isinstance((await messages_of(child))[-1], Finished)
    await child.close()


async def test_children_run_side_by_side(server: ForkServer, tmp_path: Path) -> None:
    children = [await a_child(server) for _ in range(3)]
    for place, child in enumerate(children):
        await child.send(toy_order(tmp_path / str(place), step_seconds=0.05))

    ends = [(await messages_of(child))[-1] for child in children]

    assert all(isinstance(end, Finished) for end in ends)
    assert len({child.pid for child in children}) == 3
    for child in children:
        await child.close()


async def test_the_environment_is_the_childs_alone(server: ForkServer, tmp_path: Path) -> None:
    child = await a_child(server)
    await child.send(an_order(tmp_path, ToySpec().job_spec(), kind="probe"))

    seen = next(
        message for message in await messages_of(child) if isinstance(message, Log) and "seen" in message.message
    )
    await child.close()

    assert (seen.fields["omp"], seen.fields["hub"]) == ("PASSIVE", "1")
    assert os.environ.get("OMP_WAIT_POLICY") != "PASSIVE"


async def test_a_dead_server_takes_its_children_along_and_is_replaced(plugins: Path, tmp_path: Path) -> None:
    async with ForkServer(ChildOptions(recipes=(TOY_RECIPE, "stuck=stuck_recipe:make"))) as server:
        child = await a_child(server)
        await child.send(an_order(tmp_path, ToySpec().job_spec(), kind="stuck"))
        await anext(child.messages())

        os.kill(server.pid, signal.SIGKILL)

        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await child.wait() == KILLED
        await eventually(lambda: not psutil.pid_exists(child.pid))
        await child.close()
        successor = await a_child(server)
        assert successor.pid not in {0, child.pid}
        await successor.close()


@pytest.mark.parametrize("kind", ["toy", "stuck"])
async def test_nothing_outlives_a_killed_agent(plugins: Path, tmp_path: Path, kind: str) -> None:
    spec = ToySpec(num_steps=1000, step_seconds=60, deaf=True)
    order = an_order(tmp_path / "work", spec.job_spec(), kind=kind)
    (tmp_path / "order.json").write_text(order.model_dump_json(), encoding="utf-8")
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", AGENT, str(tmp_path / "order.json"), stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        pids = [int(pid) for pid in (await agent.stdout.readline()).split()]
    assert len(pids) == 3
    assert all(psutil.pid_exists(pid) for pid in pids)

    agent.kill()
    await agent.wait()

    await eventually(lambda: not any(_is_running(pid) for pid in pids), timeout_seconds=10)


AGENT = f"""
import asyncio, sys
from pathlib import Path
from trainer_host.child_messages import RunAttempt
from trainer_host.child_process import ChildProcess
from trainer_host.fork_server_client import ChildOptions, ForkServer
from trainer_host.recipes.registry import BUILT_IN
from trainer_host.recipes.registry import BUILT_IN

async def main():
    server = ForkServer(ChildOptions(recipes=("{TOY_RECIPE}", "stuck=stuck_recipe:make")))
    warm, busy = ChildProcess(server), ChildProcess(server)
    for child in (warm, busy):
        await child.start()
        await child.hello()
    await busy.send(RunAttempt.model_validate_json(Path(sys.argv[1]).read_text()))
    async for message in busy.messages():
        if message.type == "log" and "Step" in message.message:
            print(server.pid, warm.pid, busy.pid, flush=True)

asyncio.run(main())
"""


def _is_running(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_a_message_to_a_dead_child_is_refused(server: ForkServer, tmp_path: Path) -> None:
    child = await a_child(server)
    child.kill()
    await child.wait()

    with pytest.raises(ChildDied) as death:
        await child.send(toy_order(tmp_path))
    assert death.value.returncode == KILLED
    await child.close()


class ScriptedServer(ForkServer):
    """Plays a fork server, and a child that writes what it is told."""

    def __init__(self, *, written: bytes, told: bytes) -> None:
        super().__init__()
        self._written = written
        self._told = told

    def request_child(self, pipe: socket.socket, status: socket.socket) -> None:
        pipe.sendall(self._written)
        status.sendall(self._told)


async def test_a_child_that_dies_before_its_hello_is_told_apart(tmp_path: Path) -> None:
    child = ChildProcess(ScriptedServer(written=b"", told=b"forked 999999\nexited 1\n"))
    await child.start()

    with pytest.raises(ChildDied) as death:
        await child.hello()
    assert death.value.returncode == 1
    await child.close()


@pytest.mark.parametrize(
    "nonsense", [b"{}\n", b"\x80\x04\x95pickle\n", b'{"type": "hello"', b'{"type": "stop", "reason": "PAUSE"}\n']
)
async def test_a_child_that_talks_nonsense_is_taken_for_dead(nonsense: bytes) -> None:
    hello = b'{"type": "hello", "pid": 999999}\n'
    child = ChildProcess(ScriptedServer(written=hello + nonsense, told=b"forked 999999\nexited -9\n"))
    await child.start()

    assert await messages_of(child) == []
    assert child.returncode == KILLED
    await child.close()
