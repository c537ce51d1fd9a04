import random
from pathlib import Path

import pytest

from headway.client import Patience, RemoteError
from headway.client.uploads import Uploads, hash_file
from tests.unit.client.scripted_blobs import ScriptedBlobs, blob_channel, digest
from tests.unit.client.scripted_gateway import InstantClock

NOISE = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.bin"
    path.write_bytes(NOISE)
    return path


async def send(blobs: ScriptedBlobs, path: Path, patience: Patience | None = None) -> bool:
    async with blob_channel(blobs) as channel:
        uploads = Uploads(channel, "projects/default", InstantClock(), patience or Patience())
        return await uploads.send(await hash_file(path))


async def test_a_file_arrives_whole_in_small_chunks(noise: Path) -> None:
    blobs = ScriptedBlobs()
    assert await send(blobs, noise) is True
    assert blobs.blobs[digest(NOISE)] == NOISE
    assert max(blobs.sizes) <= 256 * 1024


async def test_what_the_store_has_is_not_sent(noise: Path) -> None:
    blobs = ScriptedBlobs(blobs={digest(NOISE): NOISE})
    assert await send(blobs, noise) is False
    assert blobs.offsets == []


async def test_a_broken_upload_goes_on_where_the_store_stands(noise: Path) -> None:
    blobs = ScriptedBlobs(break_after=[600_000, 600_000])
    await send(blobs, noise)
    assert blobs.blobs[digest(NOISE)] == NOISE
    assert blobs.offsets[0] == 0 < blobs.offsets[1] < blobs.offsets[2]


async def test_an_upload_gives_up_when_patience_is_over(noise: Path) -> None:
    blobs = ScriptedBlobs(break_after=[1] * 20)
    with pytest.raises(RemoteError, match="UNAVAILABLE"):
        await send(blobs, noise, Patience(give_up_seconds=0.3))
    assert len(blobs.offsets) == 3


async def test_an_empty_file_is_a_blob_too(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    blobs = ScriptedBlobs()
    await send(blobs, tmp_path / "empty")
    assert blobs.blobs == {digest(b""): b""}


async def test_hashing_tells_how_far_it_is(noise: Path) -> None:
    told: list[tuple[str, int, int]] = []
    file = await hash_file(noise, lambda *progress: told.append(progress))
    assert (file.digest, file.size_bytes) == (digest(NOISE), len(NOISE))
    assert told[-1] == ("hashing", len(NOISE), len(NOISE))
    assert len(told) == 3
