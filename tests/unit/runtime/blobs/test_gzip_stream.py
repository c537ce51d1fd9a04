import gzip
import random
from contextlib import closing
from pathlib import Path

import pytest

from headway.contract.limits import CHUNK_BYTES, MIB
from headway.runtime.blobs.blob_file import OnBytes, tell_nobody
from headway.runtime.blobs.gzip_stream import GzipReader, gzip_chunks


@pytest.mark.parametrize(
    "content",
    [b"", b"x", random.Random(1).randbytes(CHUNK_BYTES), random.Random(2).randbytes(5 * MIB + 17), bytes(20 * MIB)],
    ids=["empty", "one byte", "one chunk", "many chunks", "zeros"],
)
async def test_the_chunks_are_one_gzip_member_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    chunks = await _chunks(path)
    assert gzip.decompress(b"".join(chunks)) == content
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert all(len(chunk) == CHUNK_BYTES for chunk in chunks[:-1]), "only the last chunk may be short"


async def test_the_rest_of_a_file_is_a_member_of_its_own(tmp_path: Path) -> None:
    content = random.Random(3).randbytes(2 * MIB)
    path = tmp_path / "file"
    path.write_bytes(content)
    chunks = await _chunks(path, 1_000_001)
    assert gzip.decompress(b"".join(chunks)) == content[1_000_001:]


async def test_it_tells_how_far_in_the_file_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB + 5))
    told: list[int] = []
    assert await _chunks(path, MIB, told.append)
    assert told == [2 * MIB, 3 * MIB, 3 * MIB + 5, 3 * MIB + 5]


async def test_closing_the_reader_early_closes_the_file_and_ends_the_chunks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.Random(4).randbytes(8 * MIB))
    with closing(GzipReader(path, 0)) as reader:
        chunks = gzip_chunks(reader)
        await anext(chunks)
    assert path not in _open_files()
    assert len([chunk async for chunk in chunks]) < 8 * MIB // CHUNK_BYTES - 1


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        GzipReader(tmp_path / "none", 0)


async def _chunks(path: Path, offset_bytes: int = 0, on_bytes: OnBytes = tell_nobody) -> list[bytes]:
    with closing(GzipReader(path, offset_bytes)) as reader:
        return [chunk async for chunk in gzip_chunks(reader, on_bytes)]


def _open_files() -> list[Path]:
    return [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
