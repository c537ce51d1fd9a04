import errno
import random
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.limits import CHUNK_BYTES
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.gzip_stream import Batch, GzipReader
from headway.runtime.blobs.uploads import find_missing, upload
from headway.runtime.remote_error import RemoteError
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from tests.scripted_blobs import ScriptedBlobs, blob_channel

PARENT = "projects/default"
NOISE = random.Random(1).randbytes(3_000_000)
DIGEST = sha256_of(NOISE)


def a_file(folder: Path, content: bytes = NOISE) -> BlobFile:
    path = folder / "file"
    path.write_bytes(content)
    return BlobFile(path, sha256_of(content), len(content))


async def send(blobs: ScriptedBlobs, file: BlobFile) -> list[int]:
    """One upload; what it told of its progress."""
    told: list[int] = []
    async with blob_channel(blobs) as channel:
        await upload(BlobServiceStub(channel), PARENT, file, told.append)
    return told


async def test_the_store_says_what_it_lacks() -> None:
    blobs = ScriptedBlobs(blobs={sha256_of(b"here"): b"here"})
    async with blob_channel(blobs) as channel:
        digests = [sha256_of(b"here"), DIGEST]
        assert await find_missing(BlobServiceStub(channel), PARENT, digests) == [DIGEST]


async def test_a_file_arrives_whole_in_small_chunks(tmp_path: Path) -> None:
    blobs = ScriptedBlobs()
    told = await send(blobs, a_file(tmp_path))
    assert blobs.blobs == {DIGEST: NOISE}
    assert max(blobs.sizes) <= CHUNK_BYTES
    assert told == sorted(told)
    assert told[-1] == len(NOISE)


async def test_an_empty_file_is_a_blob_too(tmp_path: Path) -> None:
    blobs = ScriptedBlobs()
    await send(blobs, a_file(tmp_path, b""))
    assert blobs.blobs == {sha256_of(b""): b""}


async def test_a_small_file_is_sent_without_asking(tmp_path: Path) -> None:
    blobs = ScriptedBlobs()
    await send(blobs, a_file(tmp_path, b"x" * CHUNK_BYTES))
    assert blobs.asked == []
    assert len(blobs.blobs) == 1


async def test_a_broken_upload_goes_on_where_the_store_stands(tmp_path: Path) -> None:
    blobs = ScriptedBlobs(break_after=[600_000])
    file = a_file(tmp_path)
    with pytest.raises(RemoteError, match="UNAVAILABLE"):
        await send(blobs, file)
    kept = len(blobs.parts[DIGEST])
    told = await send(blobs, file)
    assert blobs.blobs == {DIGEST: NOISE}
    assert blobs.offsets == [0, kept]
    assert told[0] > kept > 0


async def test_nothing_is_sent_of_a_file_whose_answer_was_lost(tmp_path: Path) -> None:
    blobs = ScriptedBlobs(blobs={DIGEST: NOISE})
    assert await send(blobs, a_file(tmp_path)) == []
    assert blobs.sizes == []


async def test_an_early_answer_ends_the_upload(tmp_path: Path) -> None:
    """Somebody else brought the blob between the question and the upload."""
    blobs = ScriptedBlobs(blobs={sha256_of(b"here"): b"here"})
    await send(blobs, a_file(tmp_path, b"here"))
    assert blobs.sizes == []


async def test_a_missing_file_is_an_error_of_the_disk(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    file.path.unlink()
    with pytest.raises(FileNotFoundError):
        await send(ScriptedBlobs(), file)


async def test_a_disk_that_fails_on_the_way_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_reader: GzipReader) -> Batch:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(GzipReader, "next_batch", fail)
    with pytest.raises(OSError, match="Input/output error"):
        await send(ScriptedBlobs(), a_file(tmp_path))
