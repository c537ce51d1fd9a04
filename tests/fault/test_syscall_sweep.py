"""F3, P7, P8: the gateway killed at each fsync, rename and write while it saves a model, for the points nobody named.

strace counts the calls of each thread by itself: in the round of number N the gateway dies when the first of its
threads begins its N-th call. Rounds go on until a save is over before any thread has come so far. The gateway has one
disk thread here instead of four, so that every call on a file has a round of its own.
"""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from headway.testing.eventually import eventually
from tests.fault import figures
from tests.fault.saving import SavingCluster, saving_cluster
from tests.fault.teeth_out import without

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]
ROUNDS_MAX = 60
"""Of one call. Each save writes some dozen times a thread; much of that only wakes another thread."""
NUM_FILES = 3
"""Weights, log and manifest: the others are the same in each of these models, and so in the store already."""
_ATTACH_SECONDS = 20.0
_END_SECONDS = 90.0


def is_available() -> str | None:
    """Why the sweep cannot be done on this machine; None where it can."""
    return None if shutil.which("strace") else "strace is not installed"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def saving(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SavingCluster]:
    folder = tmp_path_factory.mktemp("sweep")
    async with saving_cluster(folder, gateway_environ=without(folder / "plug", "several disk threads")) as cluster:
        yield cluster


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("call", ["fsync", "rename", "write"])
async def test_a_kill_at_any_system_call_of_a_save_ends_with_one_right_model(
    saving: SavingCluster, tmp_path: Path, call: str
) -> None:
    missing = is_available()
    assert missing is None, missing
    num_points = 0
    while num_points < ROUNDS_MAX and await _killed_at(saving, call, num_points + 1, tmp_path / "strace.log"):
        num_points += 1
    assert num_points >= NUM_FILES, f"the gateway should call {call} for each file, not {num_points} times in all"
    figures.record(row="F3", name="syscalls", survived=num_points, of=num_points, call=call)


async def _killed_at(saving: SavingCluster, call: str, number: int, log: Path) -> bool:
    """One save with a kill at the N-th call; whether there were so many calls."""
    await saving.mended()
    gateway, name = saving.cluster.gateway, f"{call}-{number}"
    job = await saving.begun(name)
    with _traced(gateway.pid, call, number, log) as trace:
        await eventually(lambda: _is_traced(gateway.pid, trace.pid), timeout_seconds=_ATTACH_SECONDS)
        saving.go(name)

        async def is_over() -> bool:
            return not gateway.is_alive or await saving.is_delivered(job)

        await eventually(is_over, timeout_seconds=_END_SECONDS, interval_seconds=0.05)
        died = not gateway.is_alive
    if died:
        await gateway.restart()
    await saving.ended_well(name, job)
    return died


@contextmanager
def _traced(pid: int, call: str, number: int, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Strace at a running process; detached at the end, when the process still lives."""
    # A rename has one of several numbers, by the machine's libc.
    calls = "/^rename" if call == "rename" else call
    inject = f"inject={calls}:signal=KILL:when={number}"
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}", "-e", inject, "-p", str(pid)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _is_traced(pid: int, tracer: int) -> bool:
    """Whether every thread of a process is held by the tracer."""
    statuses = [path.read_text(encoding="ascii") for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all(f"TracerPid:\t{tracer}\n" in status for status in statuses)
