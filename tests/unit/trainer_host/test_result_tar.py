import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from headway.contract.limits import CHUNK_BYTES
from headway.v1.jobs_pb2 import Artifact, Bundle
from trainer_host.result_tar import tar_pieces

FILES = {"manifest.json": b"{}", "deep/empty": b"", "model.safetensors": bytes(range(256)) * 3000, "block": b"x" * 512}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "not in the bundle").write_bytes(b"secret")
    return Bundle(artifacts=[Artifact(path=name, size_bytes=len(content)) for name, content in FILES.items()])


def test_the_tar_file_holds_the_bundle_and_nothing_else(tmp_path: Path, bundle: Bundle) -> None:
    pieces = list(tar_pieces(bundle, tmp_path))
    assert all(len(piece) <= CHUNK_BYTES for piece in pieces)
    with tarfile.open(fileobj=BytesIO(b"".join(pieces))) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    assert found == FILES


def test_equal_bundles_give_equal_bytes(tmp_path: Path, bundle: Bundle) -> None:
    assert b"".join(tar_pieces(bundle, tmp_path)) == b"".join(tar_pieces(bundle, tmp_path))


@pytest.mark.parametrize("content", [b"", b"{}{}"])
def test_a_file_of_another_size_is_an_error_and_not_a_broken_tar_file(
    tmp_path: Path, bundle: Bundle, content: bytes
) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(OSError, match="instead of 2"):
        list(tar_pieces(bundle, tmp_path))


def test_a_long_name_survives(tmp_path: Path) -> None:
    name = "/".join(["d" * 60] * 3) + "/file"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"x")
    pieces = tar_pieces(Bundle(artifacts=[Artifact(path=name, size_bytes=1)]), tmp_path)
    with tarfile.open(fileobj=BytesIO(b"".join(pieces))) as archive:
        assert archive.getnames() == [name]
