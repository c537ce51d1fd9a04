"""Takes a safety out of a service that a test starts, as a defect would: `proc.restart(without(folder, "digest"))`.

Nothing in the product knows of this. Python imports `sitecustomize` at its start; `without` writes one that calls
`take_out` here, and that replaces functions of the product before the service runs. The tests that use it then see the
suite's own checks fail.
"""

import asyncio
import os
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

SAFETY = "FAULT_WITHOUT"
_ROOT = Path(__file__).resolve().parents[2]


def without(folder: Path, safety: str) -> dict[str, str]:
    """The environment in which a service has a safety less; one of `SAFETIES`."""
    assert safety in SAFETIES
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text("from tests.fault.teeth_out import take_out\n\ntake_out()\n")
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(_ROOT)]), SAFETY: safety}


def take_out() -> None:
    """Called in the service, before anything of it runs."""
    SAFETIES[os.environ[SAFETY]]()


def _digest() -> None:
    """Whatever arrives, or lies on the disk, is taken for what it was announced as."""
    from gateway import model_files
    from gateway.blobs import downloads, store, upload
    from gateway.blobs.parts import Part

    believed: dict[str, str] = {}
    measured: property = vars(Part)["digest"]

    def believe(expected: str, found: str) -> None:
        believed[found] = expected

    def digest(self: Part) -> str:
        # A part is published under its own digest: that alone would keep bad bytes from the name of good ones.
        found = str(measured.__get__(self))
        return believed.get(found, found)

    for module in (model_files, downloads, store, upload):
        patch.object(module, "check_content", believe).start()
    patch.object(Part, "digest", property(digest)).start()


def _create_first() -> None:
    """A submission is acknowledged, and would be written later: here the kill comes first."""
    from gateway.noted_records import NotedRecords
    from headway.v1.records_pb2 import JobRecord

    async def create(self: NotedRecords, key: str, value: JobRecord, *, ttl: timedelta | None = None) -> int:
        del self, key, value, ttl
        return 1

    patch.object(NotedRecords, "create", create).start()


def _commit_first() -> None:
    """A result is accepted, and would be written later: here the kill comes first."""
    from gateway.commit import Commits
    from headway.contract.ids import JobName
    from headway.runtime.records import Stored
    from headway.v1.records_pb2 import JobRecord

    async def change(self: Commits, job: JobName, decide: Callable[[JobRecord], JobRecord | None]) -> Stored[JobRecord]:
        stored = await self._jobs.get(job.job_id)
        return Stored(stored.key, decide(stored.value) or stored.value, stored.revision + 1, stored.time)

    patch.object(Commits, "_change", change).start()


def _bounded_gunzip() -> None:
    """A chunk is decompressed at once, however much comes out of it."""
    from gateway.blobs.decoders import GzipDecoder

    inflate = zlib.decompressobj(wbits=31)

    def decode(self: GzipDecoder, chunk: bytes) -> Iterator[bytes]:
        del self
        yield inflate.decompress(chunk)

    patch.object(GzipDecoder, "decode", decode).start()


def _recovery_first() -> None:
    """A scheduler decides from its first moment on, of hosts that it has not heard yet."""
    from scheduler.cluster_view import ClusterView
    from scheduler.passes import PassLoop

    async def run(self: PassLoop, recovered: asyncio.Event) -> None:
        del recovered
        while True:
            self._signals.pass_wanted.clear()
            await self._clock.wait_for_event(self._signals.pass_wanted, await self.pass_once())

    patch.object(PassLoop, "run", run).start()
    patch.object(ClusterView, "restart_leases", lambda *_: None).start()


def _several_disk_threads() -> None:
    """No safety: with one thread a sweep of system calls meets each of them."""
    from gateway.blobs.disk_threads import DiskThreads

    patch.object(DiskThreads.__init__, "__defaults__", (1,)).start()


SAFETIES: dict[str, Callable[[], None]] = {
    "digest": _digest,
    "commit of a submission before its acknowledgement": _create_first,
    "commit of a result before its acknowledgement": _commit_first,
    "recovery before reaping": _recovery_first,
    "bounded gunzip": _bounded_gunzip,
    "several disk threads": _several_disk_threads,
}
