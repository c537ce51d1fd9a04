import gzip
import os
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from headway.contract.limits import CHUNK_BYTES, MIB
from trainer_host.gzip_stream import gzip_chunks


@pytest.mark.parametrize(
    "content",
    [b"", b"x", random.Random(1).randbytes(CHUNK_BYTES), random.Random(2).randbytes(5 * MIB + 17), bytes(20 * MIB)],
    ids=["empty", "one byte", "one chunk", "many chunks", "zeros"],
)
async def test_the_chunks_are_one_gzip_member_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    chunks = [chunk async for chunk in gzip_chunks(path, 0)]
    assert gzip.decompress(b"".join(chunks)) == content
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert all(len(chunk) == CHUNK_BYTES for chunk in chunks[:-1]), "only the last chunk may be short"


async def test_the_rest_of_a_file_is_a_member_of_its_own(tmp_path: Path) -> None:
    content = random.Random(3).randbytes(2 * MIB)
    path = tmp_path / "file"
    path.write_bytes(content)
    chunks = [chunk async for chunk in gzip_chunks(path, 1_000_001)]
    assert gzip.decompress(b"".join(chunks)) == content[1_000_001:]


async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.Random(4).randbytes(8 * MIB))
    async with aclosing(gzip_chunks(path, 0)) as chunks:
        await anext(chunks)
    open_files = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if _is_link(name)]
    assert str(path) not in open_files


async def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await anext(gzip_chunks(tmp_path / "none", 0))


def _is_link(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")
