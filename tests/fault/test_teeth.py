"""Each safety that headway rests on, taken out: the suite's own checks must then fail (RELIABILITY.md, "teeth").

Those of the deciders are taken out in `tests/sim/teeth.py`. Here are those that need real processes, real files or a
real connection; `HELD` says for each safety of the list where it is seen to be missed.
"""

import ast
import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest

from gateway.blobs.patience import Patience
from gateway.blobs.store import BlobInfo
from gateway.blobs.stream import UploadStream
from gateway.blobs.upload import Upload, UploadRequest
from gateway.blobs.uploads import Uploads
from headway.contract import transitions
from headway.runtime.nats_bus import NatsBus
from headway.runtime.tether import tethered
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.abuse import test_memory_bounds
from tests.abuse.test_memory_bounds import Served
from tests.bytes_gateway import bytes_gateway
from tests.fault import figures, test_callback_faults, test_callback_pieces
from tests.fault.checker import find_faults
from tests.fault.cluster import fault_cluster
from tests.fault.final_state import collect
from tests.fault.lazy_disk import LazyDisk
from tests.fault.saving import SavingCluster, saving_cluster
from tests.fault.teeth_out import without
from tests.fault.test_power_cut import KEPT
from tests.sim.teeth import TEETH

_ROOT = Path(__file__).resolve().parents[2]
_LIMIT_SECONDS = 60.0
_SIM = "tests/sim/teeth.py"
_HERE = "tests/fault/test_teeth.py"


@dataclass(frozen=True, slots=True)
class Held:
    """Where a safety is taken out.

    Attributes:
        path: of the file.
        name: of the test, or of the simulator's tooth.
    """

    path: str
    name: str


HELD: Mapping[str, tuple[Held, ...]] = {
    "fence": (Held(_SIM, "P9: the fence in commits"), Held(_HERE, "test_without_the_fence_a_late_result_is_seen")),
    "fsync": (
        Held("tests/fault/test_power_cut.py", "test_what_was_saved_is_gone_without_fsync"),
        Held(_HERE, "test_each_half_of_fsync_is_missed"),
    ),
    "digest": (Held(_HERE, "test_without_digests_a_damaged_result_is_seen"),),
    "commit before acknowledge": (
        Held(_HERE, "test_a_submission_that_is_acknowledged_too_early_is_seen"),
        Held(_HERE, "test_a_result_that_is_accepted_too_early_is_seen"),
    ),
    "recover before reap": (
        Held(_SIM, "P18: recovery comes before reaping"),
        Held(_SIM, "P17: leases start anew after recovery"),
        Held(_HERE, "test_reaping_before_recovery_is_seen"),
    ),
    "monotonic leases": (Held(_SIM, "P22: leases are monotonic"),),
    "bounded gunzip": (Held(_HERE, "test_an_unbounded_gunzip_is_seen"),),
    "re-raised cancellation": (Held(_HERE, "test_a_handler_that_swallows_its_cancellation_is_seen"),),
}


@pytest.mark.parametrize("safety", HELD)
def test_each_safety_of_the_list_is_taken_out_somewhere(safety: str) -> None:
    in_the_simulator = {tooth.safety for tooth in TEETH}
    for held in HELD[safety]:
        found = in_the_simulator if held.path == _SIM else _tests_in(_ROOT / held.path)
        assert held.name in found, f"{held.path} should hold {held.name}"


def _tests_in(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


async def is_missed(check: Awaitable[object]) -> None:
    """The suite's own check must fail."""
    with pytest.raises(AssertionError):
        await check
    figures.record(row="all", name="teeth", caught=1, of=1)


# Fence.


async def test_without_the_fence_a_late_result_is_seen(
    tmp_path: Path, nats_bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9."""
    monkeypatch.setattr(transitions, "check_fence", lambda *_: None)
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        check = test_callback_faults.test_a_result_that_comes_late_changes_nothing
        await is_missed(check(gateway, "after another host took it"))


# fsync.


@pytest.mark.parametrize("half", ["files", "folders"])
@pytest.mark.parametrize("what", KEPT)
def test_each_half_of_fsync_is_missed(what: str, half: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P2, F7: a name without its content, and content without its name."""
    disk = LazyDisk(tmp_path / "disk")
    disk.root.mkdir()
    disk.put_in_place(monkeypatch)
    noting, num_left_out = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal num_left_out
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (half == "folders"):
            num_left_out += 1
        else:
            noting(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    KEPT[what].save(disk.root)
    assert num_left_out
    assert not KEPT[what].is_whole(disk.cut(tmp_path / "left"))
    figures.record(row="F7", name="teeth", caught=1, of=1)


# Digest.


@pytest.fixture
async def saving(tmp_path: Path) -> AsyncIterator[SavingCluster]:
    async with saving_cluster(tmp_path) as cluster:
        yield cluster


@pytest.mark.slow
async def test_a_result_that_is_damaged_in_the_outbox_is_trained_again(saving: SavingCluster) -> None:
    """P10, F40: the gateway refuses it, the host finds its own copy damaged, and the job ends with the right model."""
    job = await _damaged_in_the_outbox(saving)
    await saving.cluster.gateway.restart()
    await saving.ended_well("damaged", job, max_attempts=2)


@pytest.mark.slow
async def test_without_digests_a_damaged_result_is_seen(saving: SavingCluster, tmp_path: Path) -> None:
    """P7: the same with a gateway that believes what it is told."""
    job = await _damaged_in_the_outbox(saving)
    await saving.cluster.gateway.restart(without(tmp_path / "plug", "digest"))
    await saving.cluster.ended(job)
    faults = find_faults(saving.cluster.history, await collect(saving.cluster))
    assert any(fault.startswith("(c)") and "wrong" in fault for fault in faults), faults
    figures.record(row="all", name="teeth", caught=1, of=1)


async def _damaged_in_the_outbox(saving: SavingCluster) -> str:
    """A job whose result lies in the outbox with one bit flipped, while the gateway is away."""
    job = await saving.begun("damaged")
    saving.cluster.gateway.kill9()
    saving.go("damaged")
    host = saving.cluster.hosts[0]
    results = host.home / "hosts" / host.name / "outbox" / "results"
    await eventually(lambda: list(results.glob("*/commit.pb")), timeout_seconds=_LIMIT_SECONDS)
    (weights,) = results.glob("*/bundle/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    return job


# Commit before acknowledge.


@pytest.mark.slow
@pytest.mark.parametrize("is_out", [False, True], ids=["as it is", "taken out"])
async def test_a_submission_that_is_acknowledged_too_early_is_seen(tmp_path: Path, *, is_out: bool) -> None:
    """P1: the gateway is killed in the moment after its answer."""
    async with fault_cluster(tmp_path, hosts=0) as cluster:
        if is_out:
            safety = "commit of a submission before its acknowledgement"
            await cluster.gateway.restart(without(tmp_path / "plug", safety))
        await cluster.submit(ToySpec())
        await cluster.gateway.restart()
        faults = find_faults(cluster.history, await collect(cluster))
    assert [fault[:3] for fault in faults] == (["(a)"] if is_out else [])
    figures.record(row="all", name="teeth", caught=int(is_out), of=int(is_out))


@pytest.mark.slow
@pytest.mark.parametrize("is_out", [False, True], ids=["as it is", "taken out"])
async def test_a_result_that_is_accepted_too_early_is_seen(
    saving: SavingCluster, tmp_path: Path, *, is_out: bool
) -> None:
    """P8: the gateway is killed when the host has heard ACCEPTED; what is accepted must be there after the restart."""
    job = await saving.begun("accepted")
    if is_out:
        safety = "commit of a result before its acknowledgement"
        await saving.cluster.gateway.restart(without(tmp_path / "plug", safety))
    saving.go("accepted")
    host = saving.cluster.hosts[0]
    await eventually(lambda: "result committed" in host.log(), timeout_seconds=_LIMIT_SECONDS)
    await saving.cluster.gateway.restart()
    is_kept = (await saving.cluster.get(job)).state == JOB_STATE_SUCCEEDED
    assert is_kept != is_out
    figures.record(row="all", name="teeth", caught=int(is_out), of=int(is_out))


# Recover before reap.


@pytest.mark.slow
@pytest.mark.parametrize("is_out", [False, True], ids=["as it is", "taken out"])
async def test_reaping_before_recovery_is_seen(tmp_path: Path, *, is_out: bool) -> None:
    """P17, P18: a host that is silent while the scheduler starts keeps its job."""
    async with fault_cluster(tmp_path, lease_seconds=6.0) as cluster:
        scheduler, host = cluster.schedulers[0], cluster.hosts[0]
        job = await cluster.submit(ToySpec(num_steps=100, step_seconds=0.01))
        await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        scheduler.kill9()
        host.stop()
        await scheduler.restart(without(tmp_path / "plug", "recovery before reaping") if is_out else {})
        if is_out:
            await cluster.until(job, lambda one: one.state != JOB_STATE_RUNNING or one.attempt > 1)
        host.cont()
        ended = await cluster.ended(job)
    assert ended.state == JOB_STATE_SUCCEEDED
    assert (ended.attempt == 1) != is_out
    figures.record(row="all", name="teeth", caught=int(is_out), of=int(is_out))


# Bounded gunzip.


@pytest.mark.slow
async def test_an_unbounded_gunzip_is_seen(tmp_path: Path) -> None:
    """P10, D26: a bomb of 256 MiB in 1 MB."""
    environ = {**os.environ, **without(tmp_path / "plug", "bounded gunzip")}
    async with _served(tmp_path / "home", environ) as served:
        await is_missed(test_memory_bounds.test_d26_a_bomb_of_its_true_size_takes_no_memory(served))


@asynccontextmanager
async def _served(home: Path, environ: Mapping[str, str]) -> AsyncIterator[Served]:
    """The gateway's bytes half as a process."""
    command = tethered([sys.executable, "-m", "tests.bytes_server", str(home)])
    with subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to do meanwhile
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stdout is not None
        address = (await asyncio.to_thread(process.stdout.readline)).strip()
        async with grpc.aio.insecure_channel(address) as channel:
            yield Served(process, BlobServiceStub(channel), ResultServiceStub(channel))
        process.kill()


# Re-raised cancellation.


@pytest.mark.slow
async def test_a_handler_that_swallows_its_cancellation_is_seen(
    tmp_path: Path, nats_bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F39: its slot and its memory would be gone for good, for each caller that hangs up."""
    fill = Uploads._fill

    async def swallowing(
        self: Uploads, upload: Upload, request: UploadRequest, stream: UploadStream, patience: Patience
    ) -> BlobInfo:
        try:
            return await fill(self, upload, request, stream, patience)
        except asyncio.CancelledError:
            # Whoever ends the server cancels once more.
            await asyncio.Event().wait()
            raise

    monkeypatch.setattr(Uploads, "_fill", swallowing)
    monkeypatch.setattr(test_callback_pieces, "LIMIT_SECONDS", 3.0)
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        check = test_callback_pieces.test_uploads_that_break_off_go_on_where_they_were_and_leave_nothing
        await is_missed(check(gateway))
