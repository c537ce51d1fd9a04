"""What tests of a trainer host wait for and look at."""

import asyncio
import random
from pathlib import Path

import psutil

from headway.contract.digests import sha256_of
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_TRAINING,
    ATTEMPT_PHASE_UPLOADING,
    Artifact,
    Bundle,
)
from headway.v1.results_service_pb2 import CommitResultRequest
from tests.contract.fake_scheduler import FakeScheduler
from tests.contract.host_process import HostProcess, toy_order
from trainer_host.attempt_key import AttemptKey
from trainer_host.outbox import Outbox

START_SECONDS = 30.0


async def joined(scheduler: FakeScheduler, *, since: int = 0) -> None:
    await eventually(lambda: len(scheduler.messages) > since, timeout_seconds=START_SECONDS)


async def ended(scheduler: FakeScheduler, key: AttemptKey) -> int:
    return await eventually(lambda: scheduler.outcome(key), timeout_seconds=START_SECONDS)


async def training(scheduler: FakeScheduler, key: AttemptKey) -> None:
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_TRAINING, timeout_seconds=START_SECONDS)


async def uploading(scheduler: FakeScheduler, key: AttemptKey) -> None:
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING, timeout_seconds=START_SECONDS)


async def stopped(host: HostProcess) -> int:
    return await asyncio.to_thread(host.stop)


def is_alive(process: psutil.Process) -> bool:
    """Not where nobody reaps orphans: a zombie is dead."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def a_result_in_the_outbox(root: Path, num_bytes: int) -> AttemptKey:
    """As an earlier start of the host left it. Random, for weights hardly compress."""
    content = random.Random(1).randbytes(num_bytes)
    order = toy_order()
    digest = sha256_of(content)
    bundle = Bundle(digest=digest, artifacts=[Artifact(path="weights.bin", digest=digest, size_bytes=num_bytes)])
    made = root.parent / "made"
    made.mkdir(parents=True)
    (made / "weights.bin").write_bytes(content)
    outbox = Outbox(root)
    outbox.prepare()
    request = CommitResultRequest(job=order.job, attempt=1, host="hosts/h1", bundle=bundle)
    request.summary.task = "toy"
    entry = outbox.adopt(request, made)
    outbox.seal(entry)
    return entry.key


def peak_memory(pid: int) -> int:
    """The most that a process has had in memory since it started, bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
