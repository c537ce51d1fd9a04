import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.client import FolderInUse, Patience
from headway.client.downloads import Downloads
from headway.contract.errors import DigestMismatch, InvalidManifest
from headway.v1.jobs_pb2 import Artifact, Bundle
from tests.scripted_blobs import ScriptedBlobs, blob_channel, digest
from tests.unit.client.scripted_gateway import InstantClock

WEIGHTS = random.Random(1).randbytes(10_000)
FILES = {"model.safetensors": WEIGHTS, "sub/metrics.json": b"{}", "empty": b""}


def bundle(files: dict[str, bytes] | None = None) -> Bundle:
    return Bundle(
        artifacts=[
            Artifact(path=path, digest=digest(content), size_bytes=len(content))
            for path, content in (files or FILES).items()
        ]
    )


def store(break_after: Sequence[int] = ()) -> ScriptedBlobs:
    blobs = {digest(content): content for content in FILES.values()}
    return ScriptedBlobs(blobs=blobs, break_after=list(break_after))


async def fetch(blobs: ScriptedBlobs, wanted: Bundle, folder: Path) -> None:
    async with blob_channel(blobs) as channel:
        downloads = Downloads(channel, "projects/default", InstantClock(), Patience())
        await downloads.fetch_bundle(wanted, folder, lambda *_: None)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_every_file_of_a_bundle_arrives(tmp_path: Path) -> None:
    await fetch(store(), bundle(), tmp_path / "model")
    assert {path: (tmp_path / "model" / path).read_bytes() for path in FILES} == FILES
    assert names_in(tmp_path) == ["model"]


async def test_a_broken_download_is_taken_up_again(tmp_path: Path) -> None:
    blobs = store(break_after=[4000])
    await fetch(blobs, bundle({"model.safetensors": WEIGHTS}), tmp_path / "model")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == WEIGHTS
    assert blobs.offsets == [0, 4000]


async def test_bad_bytes_leave_nothing_behind(tmp_path: Path) -> None:
    blobs = store()
    blobs.blobs[digest(WEIGHTS)] = b"x" * len(WEIGHTS)
    with pytest.raises(DigestMismatch, match=r"model\.safetensors"):
        await fetch(blobs, bundle(), tmp_path / "model")
    assert names_in(tmp_path) == []


async def test_a_folder_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FolderInUse):
        await fetch(store(), bundle(), tmp_path / "model")
    assert names_in(tmp_path / "model") == ["mine.txt"]


async def test_pulling_the_same_again_downloads_nothing(tmp_path: Path) -> None:
    await fetch(store(), bundle(), tmp_path / "model")
    blobs = store()
    await fetch(blobs, bundle(), tmp_path / "model")
    assert blobs.offsets == []


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", ""])
async def test_a_path_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    blobs = ScriptedBlobs(blobs={digest(b"x"): b"x"})
    with pytest.raises(InvalidManifest):
        await fetch(blobs, bundle({path: b"x"}), tmp_path / "a" / "model")
    assert not (tmp_path / "evil").exists()
