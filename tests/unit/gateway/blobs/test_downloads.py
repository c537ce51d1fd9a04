import io
from pathlib import Path

import pytest

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.downloads import CheckedReader, read_checked, read_from
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, NotFound, OutOfRange
from headway.contract.limits import CHUNK_BYTES

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES, 11 * CHUNK_BYTES + 3]


@pytest.mark.parametrize("size", SIZES)
def test_a_good_blob_comes_whole(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    reader = CheckedReader(io.BytesIO(content), sha256_of(content))
    received = b""
    while pieces := reader.read_some():
        assert all(len(piece) <= CHUNK_BYTES for piece in pieces)
        received += b"".join(pieces)
    assert received == content


@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_the_last_byte_of_a_bad_blob_never_comes(size: int) -> None:
    content = bytes(size)
    bad = io.BytesIO(content[:-1] + b"\1")
    reader = CheckedReader(bad, sha256_of(content))
    received: list[bytes] = []
    with pytest.raises(DigestMismatch):
        received.extend(piece for pieces in iter(reader.read_some, []) for piece in pieces)
    assert sum(map(len, received)) < size


async def test_a_bad_blob_is_set_aside_when_it_is_met(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, BlobSettings())
    part = store.new_nameless_part("demo", 3)
    part.write(b"abc")
    digest = store.publish(part, "demo").digest
    store.path("demo", digest).chmod(0o600)
    store.path("demo", digest).write_bytes(b"abd")
    async with DiskThreads() as threads:
        with pytest.raises(DigestMismatch):
            assert [piece async for piece in read_checked(store, threads, "demo", digest)] == []
        with pytest.raises(NotFound):
            assert [piece async for piece in read_checked(store, threads, "demo", digest)] == []


async def test_the_rest_can_be_read_from_any_offset(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, BlobSettings())
    part = store.new_nameless_part("demo", 3)
    part.write(b"abc")
    digest = store.publish(part, "demo").digest
    async with DiskThreads() as threads:
        assert [piece async for piece in read_from(store, threads, "demo", digest, 1)] == [b"bc"]
        assert [piece async for piece in read_from(store, threads, "demo", digest, 3)] == []
        for offset in (-1, 4):
            with pytest.raises(OutOfRange):
                assert [piece async for piece in read_from(store, threads, "demo", digest, offset)] == []
