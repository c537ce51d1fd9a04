import pytest

from headway.client.bundles import MAX_READ_BYTES, Bundles
from headway.contract.errors import DigestMismatch, NotFound
from headway.v1.jobs_pb2 import Artifact, Bundle
from tests.scripted_blobs import ScriptedBlobs, blob_channel, digest
from tests.unit.client.scripted_gateway import InstantClock

FIGURES = b'{"task": "classification"}'
BUNDLE = Bundle(
    artifacts=[
        Artifact(path="metrics.json", digest=digest(FIGURES), size_bytes=len(FIGURES)),
        Artifact(path="model.safetensors", digest=digest(b"x"), size_bytes=MAX_READ_BYTES + 1),
    ]
)


async def read(path: str, stored: bytes = FIGURES) -> bytes:
    async with blob_channel(ScriptedBlobs(blobs={digest(FIGURES): stored})) as channel:
        return await Bundles(channel, "default", InstantClock()).read(BUNDLE, path)


async def test_a_file_of_a_bundle_is_read() -> None:
    assert await read("metrics.json") == FIGURES


async def test_bad_bytes_are_not_handed_out() -> None:
    with pytest.raises(DigestMismatch, match=r"metrics\.json"):
        await read("metrics.json", FIGURES.replace(b"c", b"d"))


@pytest.mark.parametrize("path", ["none.json", "model.safetensors"])
async def test_a_file_that_is_missing_or_too_large_is_not_read(path: str) -> None:
    with pytest.raises(NotFound, match=path):
        await read(path)
