import asyncio
import random
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.downloads import download
from headway.runtime.remote_error import RemoteError
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from tests.scripted_blobs import ScriptedBlobs, blob_channel

CONTENT = random.Random(1).randbytes(10_000)
DIGEST = sha256_of(CONTENT)


@pytest.fixture
def blobs() -> ScriptedBlobs:
    return ScriptedBlobs(blobs={DIGEST: CONTENT})


@pytest.fixture
def file(tmp_path: Path) -> BlobFile:
    return BlobFile(tmp_path / "file", DIGEST, len(CONTENT))


async def fetch(blobs: ScriptedBlobs, file: BlobFile) -> list[int]:
    """One download; what it told of its progress."""
    told: list[int] = []
    async with blob_channel(blobs) as channel:
        await download(BlobServiceStub(channel), "projects/default", file, told.append)
    return told


async def test_a_blob_becomes_a_file(blobs: ScriptedBlobs, file: BlobFile) -> None:
    told = await fetch(blobs, file)
    assert file.path.read_bytes() == CONTENT
    assert told == list(range(1000, 10_001, 1000))


async def test_a_broken_download_goes_on_where_it_was(blobs: ScriptedBlobs, file: BlobFile) -> None:
    blobs.break_after = [4000]
    with pytest.raises(RemoteError, match="UNAVAILABLE"):
        await fetch(blobs, file)
    told = await fetch(blobs, file)
    assert file.path.read_bytes() == CONTENT
    assert blobs.offsets == [0, 4000]
    assert told[0] == 5000


async def test_what_is_here_already_is_only_checked(blobs: ScriptedBlobs, file: BlobFile) -> None:
    file.path.write_bytes(CONTENT)
    await fetch(blobs, file)
    assert blobs.offsets == []


async def test_an_empty_blob_is_a_file_too(file: BlobFile) -> None:
    await fetch(ScriptedBlobs(), BlobFile(file.path, sha256_of(b""), 0))
    assert file.path.read_bytes() == b""


@pytest.mark.parametrize("kept", [bytes(4000), bytes(10_000), bytes(10_001)], ids=["part", "whole", "too long"])
async def test_a_damaged_part_is_thrown_away(blobs: ScriptedBlobs, file: BlobFile, kept: bytes) -> None:
    file.path.write_bytes(kept)
    with pytest.raises(DigestMismatch):
        await fetch(blobs, file)
    assert not file.path.exists()
    await fetch(blobs, file)
    assert file.path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"x", CONTENT * 50], ids=["short", "other", "long"])
async def test_what_is_not_the_blob_is_never_left_as_the_file(file: BlobFile, content: bytes) -> None:
    with pytest.raises(DigestMismatch):
        await fetch(ScriptedBlobs(blobs={DIGEST: content}), file)
    assert not file.path.exists()


async def test_more_than_was_declared_is_not_written(blobs: ScriptedBlobs, file: BlobFile) -> None:
    told: list[int] = []
    short = BlobFile(file.path, DIGEST, 2500)
    async with blob_channel(blobs) as channel:
        with pytest.raises(DigestMismatch):
            await download(BlobServiceStub(channel), "projects/default", short, told.append)
    assert told == [1000, 2000]


async def test_a_cancelled_download_is_cancelled_and_keeps_what_came(blobs: ScriptedBlobs, file: BlobFile) -> None:
    async with blob_channel(blobs) as channel:
        task: asyncio.Task[None] | None = None

        def stop(_num_bytes: int) -> None:
            assert task is not None
            task.cancel()

        task = asyncio.create_task(download(BlobServiceStub(channel), "projects/default", file, stop))
        with pytest.raises(asyncio.CancelledError):
            await task
    kept = file.path.read_bytes()
    assert CONTENT.startswith(kept)
    assert kept
