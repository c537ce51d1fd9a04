"""Row F9: an fsync that fails. What was not on disk for certain is never acknowledged, and mends when it comes again.

An fsync that failed may succeed the next time without having written anything: the kernel takes the pages for clean. So
the second try must write anew, and not only ask again.
"""

import errno
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import Code
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.uploads import find_missing, upload
from headway.runtime.durability import Ailment, find_ailment
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.fault.submitting import until_refused, until_taken
from tests.jobs_gateway import create, get, running_gateway

CONTENT = b"weights" * 1000


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path / "home") as gateway:
        yield gateway


@pytest.fixture
def blob(tmp_path: Path) -> BlobFile:
    (tmp_path / "file").write_bytes(CONTENT)
    return BlobFile(tmp_path / "file", sha256_of(CONTENT), len(CONTENT))


def _fail(_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize(
    "place", ["gateway.blobs.parts.os.fsync", "gateway.blobs.parts.fsync_path"], ids=["of the file", "of the folder"]
)
async def test_a_blob_whose_fsync_failed_is_not_acknowledged_and_is_written_anew_f9_p8(
    gateway: BytesGateway, blob: BlobFile, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place, _fail)
        with pytest.raises(RemoteError) as caught:
            await upload(gateway.blob, PARENT, blob)
        assert caught.value.code is Code.INTERNAL

    # The disk is well again, and still nobody takes the old try for good.
    assert await find_missing(gateway.blob, PARENT, [blob.digest]) == [blob.digest]
    num_synced = _count_fsyncs(monkeypatch)
    await upload(gateway.blob, PARENT, blob)
    assert num_synced() >= 1, "the content should be written and synced anew"
    assert await find_missing(gateway.blob, PARENT, [blob.digest]) == []
    assert gateway.blobs.read("demo", blob.digest, 10**6) == CONTENT


async def test_a_blob_that_could_not_be_settled_is_asked_for_again_f9_p8(
    gateway: BytesGateway, blob: BlobFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(gateway.blob, PARENT, blob)
    with monkeypatch.context() as patch:
        patch.setattr("gateway.blobs.store.fsync_path", _fail)
        with pytest.raises(OSError, match="Input/output"):
            gateway.blobs.settle("demo", [blob.digest])
    assert await find_missing(gateway.blob, PARENT, [blob.digest]) == [blob.digest]
    await upload(gateway.blob, PARENT, blob)
    assert await find_missing(gateway.blob, PARENT, [blob.digest]) == []


def _count_fsyncs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    num_synced = 0
    fsync = os.fsync

    def counting(descriptor: int) -> None:
        nonlocal num_synced
        num_synced += 1
        fsync(descriptor)

    monkeypatch.setattr("gateway.blobs.parts.os.fsync", counting)
    return lambda: num_synced


@pytest.mark.long
async def test_a_store_whose_fsync_failed_acknowledges_nothing_until_it_is_restarted_f9_p2(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        acknowledged = [await create(gateway) for _ in range(3)]
        assert nats_server.pid is not None
        with _failing_fsync(nats_server.pid):
            error = await until_refused(gateway, "STORE_UNAVAILABLE")
        assert error.code is Code.UNAVAILABLE

        async def is_known() -> bool:
            return await find_ailment(nats_server.monitor_url) is Ailment.FAILING_DISK

        await eventually(is_known)
        # The disk works again by now; the server knows better than to go on.
        await until_refused(gateway, "STORE_UNAVAILABLE")
        await nats_server.kill()
        await nats_server.start()
        await until_taken(gateway)
        for job in acknowledged:
            assert (await get(gateway, job)).name == job.name


@contextmanager
def _failing_fsync(pid: int) -> Iterator[None]:
    """Let the next fsync of a process fail, by strace."""
    strace = shutil.which("strace")
    assert strace is not None, "install strace: the long fault tests need it"
    inject = "inject=fsync,fdatasync:error=EIO:when=1"
    command = [strace, "-f", "-p", str(pid), "-e", "trace=fsync,fdatasync", "-e", inject]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert tracer.stderr is not None
        # Its first line says that it is attached.
        assert b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate()
