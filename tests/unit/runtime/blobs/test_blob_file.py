import os
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.limits import MIB
from headway.runtime.blobs.blob_file import BlobFile, digest_of_file, hash_file

CONTENT = os.urandom(2 * MIB + 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


def test_the_digest_of_a_large_file(path: Path) -> None:
    assert digest_of_file(path) == sha256_of(CONTENT)


async def test_hashing_tells_how_far_it_is(path: Path) -> None:
    told: list[int] = []
    assert await hash_file(path, told.append) == BlobFile(path, sha256_of(CONTENT), len(CONTENT))
    assert told == [MIB, 2 * MIB, len(CONTENT)]


async def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await hash_file(tmp_path / "none")
