import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.blobs.uploads import Uploads
from headway.contract.digests import sha256_of
from headway.contract.errors import DeadlineExceeded, DiskFull, PermissionDenied, SizeMismatch, UploadSuperseded
from headway.runtime.principal import Principal, acting_as
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_IDENTITY, UploadBlobRequest
from tests.bytes_gateway import ANYBODY
from tests.result_bundles import as_async, upload_messages

CONTENT = os.urandom(1_500_000)
DIGEST = sha256_of(CONTENT)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path, BlobSettings())
    store.prepare()
    return store


@pytest.fixture
async def uploads(store: BlobStore) -> AsyncIterator[Uploads]:
    async with DiskThreads() as threads:
        with acting_as(ANYBODY):
            yield Uploads(store, threads, ManualClock(), BlobSettings(idle_seconds=0.3))


def whole(offset: int = 0) -> Iterator[UploadBlobRequest]:
    return upload_messages(CONTENT, encoding=BLOB_ENCODING_IDENTITY, offset_bytes=offset)


async def hanging(num_messages: int) -> AsyncIterator[UploadBlobRequest]:
    """The beginning of a stream, and then nothing."""
    for number, message in enumerate(whole()):
        if number == num_messages:
            await asyncio.Event().wait()
        yield message


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_blob_is_taken_in_once(uploads: Uploads, store: BlobStore) -> None:
    assert not (await uploads.receive(as_async(whole()))).existed
    assert (await uploads.receive(as_async(whole()))).existed
    assert store.read("demo", DIGEST, 10**7) == CONTENT
    assert uploads.num_taken == 0


async def test_a_caller_without_the_project_gets_nowhere(uploads: Uploads, store: BlobStore) -> None:
    stranger = Principal(key_id="k", user_id="", scopes=frozenset({"submit"}), projects=frozenset({"other"}))
    with acting_as(stranger), pytest.raises(PermissionDenied):
        await uploads.receive(as_async(whole()))
    assert store.find("demo", DIGEST) is None


async def test_what_a_silent_call_brought_is_kept(uploads: Uploads) -> None:
    with pytest.raises(DeadlineExceeded):
        await uploads.receive(hanging(4))
    kept = await uploads.committed_size("demo", DIGEST)
    assert 0 < kept < len(CONTENT)
    assert uploads.num_taken == 0
    assert not (await uploads.receive(as_async(whole(kept)))).existed


async def test_what_a_call_brought_whose_caller_went_away_is_kept(uploads: Uploads, store: BlobStore) -> None:
    call = asyncio.create_task(uploads.receive(hanging(6)))

    async def has_come() -> bool:
        return await uploads.committed_size("demo", DIGEST) >= 1_000_000

    await eventually(has_come)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert store.kept_size("demo", DIGEST) >= 1_000_000
    assert uploads.num_taken == 0


async def test_a_call_that_goes_on_elsewhere_takes_over(uploads: Uploads) -> None:
    call = asyncio.create_task(uploads.receive(hanging(6)))

    async def has_come() -> bool:
        return await uploads.committed_size("demo", DIGEST) >= 1_000_000

    await eventually(has_come)
    size = await uploads.committed_size("demo", DIGEST)
    assert (await uploads.receive(as_async(whole(size)))).info.digest == DIGEST
    with pytest.raises(UploadSuperseded):
        await call


async def test_a_call_that_begins_anew_disturbs_nobody(uploads: Uploads) -> None:
    call = asyncio.create_task(uploads.receive(hanging(3)))
    await asyncio.sleep(0.02)
    assert (await uploads.receive(as_async(whole()))).info.digest == DIGEST
    with pytest.raises(DeadlineExceeded):
        await call


async def test_a_full_disk_is_told_and_leaves_nothing(
    uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull):
        await uploads.receive(as_async(whole()))
    monkeypatch.undo()
    assert files_below(tmp_path) == []
    # The service goes on by itself when there is room again.
    assert (await uploads.receive(as_async(whole()))).info.digest == DIGEST


async def test_a_stream_that_is_too_long_leaves_nothing(uploads: Uploads, tmp_path: Path) -> None:
    messages = upload_messages(CONTENT, encoding=BLOB_ENCODING_IDENTITY, size_bytes=1_000_000)
    with pytest.raises(SizeMismatch):
        await uploads.receive(as_async(messages))
    assert files_below(tmp_path) == []


async def test_a_known_blob_of_another_size_is_refused(uploads: Uploads) -> None:
    await uploads.receive(as_async(whole()))
    with pytest.raises(SizeMismatch):
        await uploads.receive(as_async(upload_messages(CONTENT, size_bytes=7)))


async def test_stale_parts_are_swept(uploads: Uploads, store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        await uploads.receive(hanging(4))
    os.utime(files_below(tmp_path)[0], (1000, 1000))
    sweep = asyncio.create_task(uploads.sweep_loop())

    async def is_gone() -> bool:
        return store.kept_size("demo", DIGEST) == 0

    await eventually(is_gone)
    sweep.cancel()
