import random
from pathlib import Path

import pytest

from headway.client import Patience, RemoteError
from headway.client.uploads import Uploads
from headway.runtime.blobs.blob_file import hash_file
from tests.scripted_blobs import ScriptedBlobs, blob_channel, digest
from tests.unit.client.scripted_gateway import InstantClock

Told = list[tuple[str, int, int]]
NOISE = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    path = tmp_path / "noise.bin"
    path.write_bytes(NOISE)
    return path


async def send(blobs: ScriptedBlobs, path: Path, patience: Patience | None = None) -> tuple[bool, Told]:
    told: Told = []
    async with blob_channel(blobs) as channel:
        uploads = Uploads(channel, "projects/default", InstantClock(), patience or Patience())
        was_sent = await uploads.send(await hash_file(path), lambda *progress: told.append(progress))
    return was_sent, told


async def test_a_file_is_sent_and_progress_is_told(noise: Path) -> None:
    blobs = ScriptedBlobs()
    was_sent, told = await send(blobs, noise)
    assert was_sent
    assert blobs.blobs[digest(NOISE)] == NOISE
    assert told[-1] == ("uploading", len(NOISE), len(NOISE))


async def test_what_the_store_has_is_not_sent(noise: Path) -> None:
    blobs = ScriptedBlobs(blobs={digest(NOISE): NOISE})
    assert await send(blobs, noise) == (False, [])
    assert blobs.offsets == []


async def test_a_broken_upload_is_taken_up_again(noise: Path) -> None:
    blobs = ScriptedBlobs(break_after=[600_000, 600_000])
    await send(blobs, noise)
    assert blobs.blobs[digest(NOISE)] == NOISE
    assert blobs.offsets[0] == 0 < blobs.offsets[1] < blobs.offsets[2]


async def test_an_upload_gives_up_when_patience_is_over(noise: Path) -> None:
    blobs = ScriptedBlobs(break_after=[1] * 20)
    with pytest.raises(RemoteError, match="UNAVAILABLE"):
        await send(blobs, noise, Patience(give_up_seconds=0.3))
    assert len(blobs.offsets) == 3
