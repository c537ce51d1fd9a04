"""A trainer host's way back, alone in a process: delivers one bundle from an outbox to a gateway.

`python -m tests.bench.callback_sender prepare FOLDER JOB MEGABYTES` puts a state dict of so many megabytes into an
outbox below FOLDER; `... deliver FOLDER ADDRESS KEY` delivers what is there, and prints as JSON in its last line how
long that took and by how much the process grew.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from headway.contract.digests import sha256_of
from headway.contract.manifest import MANIFEST_PATH, WEIGHTS_PATH, Manifest, ManifestArtifact
from headway.runtime.channel import open_channel
from headway.runtime.clock import SystemClock
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import Artifact, Bundle, ResultSummary
from headway.v1.results_service_pb2 import CommitResultRequest
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from trainer_host.delivery import Delivery, Verdict
from trainer_host.outbox import Outbox, OutboxEntry
from trainer_host.retries import Pace
from trainer_host.uploads import Uploads

NUM_TENSORS = 25


def deliver(folder: Path, address: str, key: str) -> None:
    """Deliver the one result of the outbox and print what it took."""
    (entry,) = Outbox(folder / "outbox").entries()
    before = _peak_mib()
    start = time.perf_counter()
    asyncio.run(_deliver(entry, address, key))
    seconds = time.perf_counter() - start
    sys.stdout.write("\n" + json.dumps({"seconds": seconds, "growth_mib": _peak_mib() - before}))


def prepare(folder: Path, job: str, megabytes: int) -> None:
    """Write a bundle and put it into an outbox. Its numbers are as random as trained weights: gzip saves a twelfth."""
    bundle_dir = folder / "bundle"
    bundle_dir.mkdir(parents=True)
    # Other numbers for each job: the gateway would rightly not ask twice for the same ones.
    values = np.random.default_rng(list(job.encode()))
    rows = megabytes * 1_000_000 // 4 // NUM_TENSORS // 1000
    weights = {f"layer.{n}": values.normal(0, 0.02, (rows, 1000)).astype(np.float32) for n in range(NUM_TENSORS)}
    save_file(weights, bundle_dir / WEIGHTS_PATH)
    content = (bundle_dir / WEIGHTS_PATH).read_bytes()
    listed = ManifestArtifact(path=WEIGHTS_PATH, digest=sha256_of(content), size_bytes=len(content))
    manifest = Manifest(job=job, kind="bench", attempt=1, spec={}, artifacts=(listed,)).model_dump_json().encode()
    (bundle_dir / MANIFEST_PATH).write_bytes(manifest)
    digest = sha256_of(manifest)
    artifacts = [
        Artifact(path=WEIGHTS_PATH, digest=listed.digest, size_bytes=listed.size_bytes),
        Artifact(path=MANIFEST_PATH, digest=digest, size_bytes=len(manifest)),
    ]
    request = CommitResultRequest(
        job=job,
        attempt=1,
        host="hosts/bench",
        bundle=Bundle(digest=digest, artifacts=artifacts),
        summary=ResultSummary(task="bench", metrics={"loss": 0.0}),
    )
    outbox = Outbox(folder / "outbox")
    outbox.prepare()
    outbox.seal(outbox.adopt(request, bundle_dir))


async def _deliver(entry: OutboxEntry, address: str, key: str) -> None:
    async def ready() -> None:
        """Nothing to wait for."""

    async with open_channel(address, api_key=key) as channel:
        uploads = Uploads(BlobServiceStub(channel))
        delivery = Delivery(uploads, ResultServiceStub(channel), SystemClock(), Pace(give_up_seconds=10))
        delivered = await delivery.deliver(entry, ready)
    if delivered.verdict is not Verdict.COMMITTED:
        raise RuntimeError(f"not committed: {delivered}")


def _peak_mib() -> float:
    # Not getrusage: its peak is inherited from the parent that started this process, which has torch loaded.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak_kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak_kib) / 1024


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        deliver(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
