"""Power cuts (F7, P2): what was acknowledged was on the disk before, of gateway, host and nats-server.

First under a disk that keeps nothing but what was fsynced, then with whole services on disks of their own. Each is also
tried with fsync taken out, to see that it would tell.
"""

import asyncio
import hashlib
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from headway.cli.stack.services import NATS
from headway.contract.digests import sha256_of
from headway.contract.errors import HeadwayError, InvalidKey
from headway.contract.recipes import CheckpointUnusable
from headway.contract.subjects import BUCKETS, JOBS, STREAMS
from headway.runtime.keys import make_key, read_key_file, write_key_file
from headway.runtime.nats_bus import connect
from headway.runtime.nats_server import NatsServer, NatsServerOptions
from headway.testing.builders import a_record
from headway.testing.ports import free_port
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import Bundle
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultRequest
from tests.checkpoint_runs import checkpoint_order, run_saving
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.history import Outcome
from tests.fault.lazy_disk import LazyDisk
from tests.fault.loop_disk import LoopDisk, loop_disks
from tests.fault.workload import Submitters, jittered
from tests.save_killed import CONTENT, save
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_files import Wanted, name_of, open_checkpoint
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.outbox import Outbox

KEY_TEXT = make_key().text
KEY = AttemptKey(f"projects/p/jobs/j{'a' * 25}", 1)
WANTED = Wanted("projects/p/jobs/j1", "toy", "sha256:" + "5" * 64)
NUM_STEPS, INTERVAL_STEPS = 3, 2
SUBMIT_SECONDS, SUBMIT_PAUSE_SECONDS = 3.0, 0.3


def _save_blob(root: Path) -> None:
    save(root / "blobs")


def _has_blob(left: Path) -> bool:
    store = BlobStore(left / "blobs", BlobSettings())
    with suppress(HeadwayError):
        return store.read("demo", sha256_of(CONTENT), len(CONTENT)) == CONTENT
    return False


def _save_result(root: Path) -> None:
    bundle_dir = root / "work" / "bundle"
    (bundle_dir / "deep").mkdir(parents=True)
    (bundle_dir / "deep" / "model.safetensors").write_bytes(CONTENT)
    outbox = Outbox(root / "outbox")
    outbox.prepare()
    request = CommitResultRequest(job=KEY.job, attempt=KEY.attempt, bundle=Bundle(digest="sha256:1"))
    outbox.seal(outbox.adopt(request, bundle_dir))


def _has_result(left: Path) -> bool:
    outbox = Outbox(left / "outbox")
    outbox.prepare()
    return [(entry.bundle_dir / "deep" / "model.safetensors").read_bytes() for entry in outbox.entries()] == [CONTENT]


def _save_checkpoint(root: Path) -> None:
    store = CheckpointStore(root / "checkpoints")
    store.prepare()
    checkpoints = checkpoint_order(store.folder_of(KEY), interval_steps=INTERVAL_STEPS)
    run_saving(root / "work", ToySpec(num_steps=NUM_STEPS).job_spec(), checkpoints)


def _has_checkpoint(left: Path) -> bool:
    store = CheckpointStore(left / "checkpoints")
    store.prepare()
    with suppress(CheckpointUnusable):
        return open_checkpoint(store.folder_of(KEY) / name_of(INTERVAL_STEPS, 1), WANTED).step == INTERVAL_STEPS
    return False


def _save_key(root: Path) -> None:
    write_key_file(root / "home" / "keys" / "local.key", KEY_TEXT)


def _has_key(left: Path) -> bool:
    with suppress(InvalidKey):
        return read_key_file(left / "home" / "keys" / "local.key") == KEY_TEXT
    return False


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is told to be saved, and whether it is."""

    save: Callable[[Path], None]
    is_whole: Callable[[Path], bool]


KEPT = {
    "blob": Kept(_save_blob, _has_blob),
    "result": Kept(_save_result, _has_result),
    "checkpoint": Kept(_save_checkpoint, _has_checkpoint),
    "key": Kept(_save_key, _has_key),
}


@pytest.mark.parametrize("what", KEPT)
def test_what_was_saved_survives_where_only_fsync_counts(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = LazyDisk(tmp_path / "disk")
    disk.root.mkdir()
    disk.put_in_place(monkeypatch)
    KEPT[what].save(disk.root)

    is_whole = KEPT[what].is_whole(disk.cut(tmp_path / "left"))

    assert is_whole
    figures.record(row="F7", name="power_cut", what=f"{what}, strictest disk", acked=1, survived=int(is_whole))


@pytest.mark.parametrize("what", KEPT)
def test_what_was_saved_is_gone_without_fsync(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above bites."""
    disk = LazyDisk(tmp_path / "disk", is_lying=True)
    disk.root.mkdir()
    disk.put_in_place(monkeypatch)
    KEPT[what].save(disk.root)
    assert KEPT[what].is_whole(disk.root)

    assert not KEPT[what].is_whole(disk.cut(tmp_path / "left"))


@pytest.mark.slow
async def test_jobs_and_models_survive_a_power_cut_of_every_disk(tmp_path: Path) -> None:
    """P1, P2, P7, P11, F7: gateway, host and nats-server each on a disk of its own, cut in the middle of everything."""
    folders = [tmp_path / name for name in (NATS, "gateway", "h1")]
    with loop_disks(tmp_path / "images", *folders) as disks:
        async with fault_cluster(tmp_path, slots=2) as cluster:
            # Those that are in flight when the power is cut are repeated until all is back.
            async with _submitting(cluster) as clients:
                await cluster.ended(clients.jobs[0])
                _cut(cluster, disks)
                # As `headway up` does at every start.
                cluster.plan.nats()
                await cluster.start()
            acked = [call.job for call in cluster.history.of("create", Outcome.OK)]
            await cluster.ended(*acked)
            await cluster.check()
    figures.record(row="F7", name="power_cut", what="jobs, all disks", acked=len(acked), survived=len(acked))


@pytest.mark.slow
async def test_without_fsync_a_power_cut_costs_models(tmp_path: Path) -> None:
    """F7: the test above bites: a gateway whose fsync does nothing loses bytes on a real file system."""
    (tmp_path / "plug").mkdir()
    (tmp_path / "plug" / "sitecustomize.py").write_text("import os\nos.fsync = lambda _: None\n")
    environ = {"PYTHONPATH": f"{tmp_path / 'plug'}:{Path.cwd()}"}
    with loop_disks(tmp_path / "images", tmp_path / "gateway") as disks:
        async with fault_cluster(tmp_path, slots=2, gateway_environ=environ) as cluster:
            async with _submitting(cluster, is_repeating=False) as clients:
                await cluster.ended(clients.jobs[-1])
                acknowledged = _blobs(tmp_path / "gateway")
                _cut(cluster, disks)
            left = _blobs(tmp_path / "gateway")
    assert acknowledged
    lost = {digest for digest in acknowledged if left.get(digest) != digest}
    assert lost, "every blob was on the disk although nobody waited for that"


@asynccontextmanager
async def _submitting(cluster: FaultCluster, *, is_repeating: bool = True) -> AsyncIterator[Submitters]:
    pause = jittered(SUBMIT_PAUSE_SECONDS, figures.seed())
    toy = ToySpec(num_steps=2, step_seconds=0.005)
    async with Submitters(cluster, toy, num_clients=2, is_repeating=is_repeating, pause_seconds=pause) as clients:
        await asyncio.sleep(SUBMIT_SECONDS)
        yield clients


def _cut(cluster: FaultCluster, disks: list[LoopDisk]) -> None:
    for proc in reversed(cluster.procs):
        proc.stop()
    for disk in disks:
        disk.cut()
    cluster.kill_everything()
    for disk in disks:
        disk.put_back()


def _blobs(folder: Path) -> dict[str, str]:
    """The digest of each blob's content, by the digest that names it."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("sha256/*/*")}


@pytest.mark.slow
@pytest.mark.parametrize(("sync_interval", "loses"), [("always", False), ("2m", True)], ids=["always", "2m"])
async def test_nats_server_keeps_what_it_acknowledged_if_it_is_told_to(
    sync_interval: str, tmp_path: Path, *, loses: bool
) -> None:
    """P2, F7, F44: with headway's own setting; with nats-server's default, which services refuse, it does not."""
    options = NatsServerOptions(
        directory=tmp_path / "nats",
        port=free_port(),
        monitor_port=free_port(),
        sync_interval=sync_interval,
        dies_with_parent="grpc" not in sys.modules,
    )
    records = [a_record() for _ in range(200)]
    with loop_disks(tmp_path / "images", tmp_path / "nats") as [disk]:
        async with NatsServer(options) as server:
            async with connect(server.url, "test") as bus:
                await bus.provision(BUCKETS, STREAMS)
                for record in records:
                    await bus.records(JOBS, JobRecord).create(record.job.name.rpartition("/")[2], record)
            disk.cut()
            await server.kill()
            disk.put_back()
            await server.start()
            found = await _num_found(server, records)
    assert (found < len(records)) if loses else (found == len(records))
    name = "power_cut_of_nats_default" if loses else "power_cut"
    figures.record(row="F7", name=name, what=f"nats-server, sync {sync_interval}", acked=len(records), survived=found)


async def _num_found(server: NatsServer, records: list[JobRecord]) -> int:
    async with connect(server.url, "test") as bus:
        found = 0
        for record in random.Random(1).sample(records, len(records)):
            with suppress(HeadwayError):
                found += await bus.records(JOBS, JobRecord).find(record.job.name.rpartition("/")[2]) is not None
        return found
