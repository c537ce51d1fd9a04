"""Bundles below the data root: foreign input, taken in whole and checked like a host's (C23, P10)."""

import json
import os
import pickle
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from gateway.blobs.store import BlobInfo
from gateway.data_root import DataRoot, OpenFile
from gateway.foreign_bundles import MODEL_FILES, ForeignBundles
from headway.contract.architectures import Architecture
from headway.contract.digests import sha256_of
from headway.contract.errors import (
    ArchitectureMismatch,
    ForbiddenContent,
    InvalidArgument,
    InvalidDataPath,
    InvalidManifest,
    InvalidSafetensors,
    InvalidTensor,
    ModelTooLarge,
    UnsupportedScheme,
)
from headway.testing.builders import a_claimed_record, a_record
from headway.testing.memory_bus import MemoryBus
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import AN_ARCHITECTURE, result_files, tensors_of, with_manifest

FIELD = "job.spec.tabular_distill.teacher_model_path"
WEIGHTS, MODEL, PREPROCESS, MANIFEST = "model.safetensors", "model.json", "preprocess.json", "manifest.json"


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        yield gateway


@pytest.fixture
def foreign(gateway: BytesGateway) -> ForeignBundles:
    return ForeignBundles(DataRoot(gateway.data), gateway.intake, gateway.blobs, gateway.threads)


def a_bundle(changed: Mapping[str, bytes] | None = None, *, kind: str = "") -> dict[str, bytes]:
    """A bundle as a host makes it; a file that is changed is listed as it is."""
    return with_manifest(result_files() | dict(changed or {}), a_claimed_record(a_record()), kind=kind)


def put(gateway: BytesGateway, files: Mapping[str, bytes], folder: str = "big/one") -> Path:
    """Write a bundle below the data root."""
    path = gateway.data / folder
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


async def refused(foreign: ForeignBundles, path: str = "big/one") -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        await foreign.take_in("demo", path, field=FIELD)
    assert [violation.field for violation in caught.value.violations] == [FIELD]
    assert "preprocess.json" in caught.value.violations[0].allowed
    return caught.value


@pytest.mark.parametrize("path", ["big/one", "./big//one", "big/one/"])
async def test_a_whole_bundle_is_pinned_by_the_digests_of_its_files(
    gateway: BytesGateway, foreign: ForeignBundles, path: str
) -> None:
    files = a_bundle()
    put(gateway, files)
    taken = await foreign.take_in("demo", path, field=FIELD)
    assert [file.path for file in taken] == list(MODEL_FILES)
    for file in taken:
        assert file.digest == sha256_of(files[file.path])
        assert gateway.blobs.read("demo", file.digest, file.size_bytes) == files[file.path]


async def test_a_student_is_a_teacher_like_any_other(gateway: BytesGateway, foreign: ForeignBundles) -> None:
    put(gateway, a_bundle(kind="tabular_distill"))
    assert await foreign.take_in("demo", "big/one", field=FIELD)


async def test_an_unchanged_bundle_is_not_read_again_and_a_changed_one_is(
    gateway: BytesGateway, foreign: ForeignBundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(gateway, a_bundle())
    first = await foreign.take_in("demo", "big/one", field=FIELD)

    async def never(*_: object, **__: object) -> None:
        pytest.fail("the files were read again")

    with monkeypatch.context() as patch:
        patch.setattr(gateway.intake, "take_in", never)
        assert await foreign.take_in("demo", "big/one", field=FIELD) == first
    put(gateway, a_bundle({WEIGHTS: save(tensors_of(fill=0.25))}))
    second = await foreign.take_in("demo", "big/one", field=FIELD)
    assert second[-1].digest != first[-1].digest
    # And what the store has lost is copied anew.
    gateway.blobs.path("demo", second[-1].digest).unlink()
    assert await foreign.take_in("demo", "big/one", field=FIELD) == second
    assert gateway.blobs.find("demo", second[-1].digest) is not None


@pytest.mark.parametrize("name", MODEL_FILES)
async def test_a_folder_that_lacks_a_file_is_told_what_a_teacher_has(
    gateway: BytesGateway, foreign: ForeignBundles, name: str
) -> None:
    (put(gateway, a_bundle()) / name).unlink()
    error = await refused(foreign)
    assert isinstance(error, InvalidDataPath)
    assert name in error.message


@pytest.mark.parametrize("path", ["../outside", "/etc", "big/../../outside", "link", "a\\b", "", "x\0y", "nowhere"])
async def test_a_teacher_outside_of_the_data_root_is_refused_c23(
    gateway: BytesGateway, foreign: ForeignBundles, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name, content in a_bundle().items():
        (outside / name).write_bytes(content)
    (gateway.data / "link").symlink_to(outside)
    error = await refused(foreign, path)
    assert isinstance(error, InvalidDataPath)
    assert str(tmp_path) not in str(error.violations[0])


@pytest.mark.parametrize("path", ["http://169.254.169.254/model", "file:///etc", "s3://bucket/model"])
async def test_nothing_is_fetched_b17(foreign: ForeignBundles, path: str) -> None:
    assert isinstance(await refused(foreign, path), UnsupportedScheme)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("how", ["symbolic", "hard", "fifo"])
async def test_only_regular_files_of_one_name_are_taken_c23(
    gateway: BytesGateway, foreign: ForeignBundles, tmp_path: Path, name: str, how: str
) -> None:
    folder = put(gateway, a_bundle())
    secret = tmp_path / "secret"
    (folder / name).rename(secret)
    if how == "symbolic":
        (folder / name).symlink_to(secret)
    elif how == "hard":
        os.link(secret, folder / name)
    else:
        os.mkfifo(folder / name)
    assert isinstance(await refused(foreign), InvalidDataPath)


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


@pytest.mark.parametrize("name", MODEL_FILES)
@pytest.mark.parametrize("protocol", [0, 2, 5])
async def test_a_pickle_under_any_name_is_refused_and_never_loaded_c23(
    gateway: BytesGateway, foreign: ForeignBundles, tmp_path: Path, name: str, protocol: int
) -> None:
    canary = tmp_path / "canary"
    folder = put(gateway, a_bundle())
    (folder / name).write_bytes(pickle.dumps(Canary(canary), protocol=protocol))
    assert isinstance(await refused(foreign), ForbiddenContent)
    assert not canary.exists()


@pytest.mark.parametrize("path", ["teacher.pt", "big/one/model.pth", "x.pkl", "x.ckpt", "model.bin", "m.zip"])
async def test_a_file_of_weights_is_told_that_a_folder_is_wanted_c23(
    gateway: BytesGateway, foreign: ForeignBundles, path: str
) -> None:
    put(gateway, {path.rpartition("/")[2]: b"PK\x03\x04"}, path.rpartition("/")[0])
    error = await refused(foreign, path)
    assert isinstance(error, ForbiddenContent)
    assert error.violations[0].allowed.startswith("a folder")


def _as_json(**changes: object) -> bytes:
    return json.dumps(AN_ARCHITECTURE.model_dump(mode="json") | changes).encode()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({WEIGHTS: b"\x00" * 64}, InvalidSafetensors),
        ({WEIGHTS: save(tensors_of())[:-1]}, InvalidSafetensors),
        ({WEIGHTS: b"\xff" * 7 + b"\x7f" + b"{}"}, InvalidSafetensors),
        ({WEIGHTS: save(tensors_of() | {"output.bias": np.full(3, np.nan, np.float32)})}, InvalidTensor),
        ({WEIGHTS: save(tensors_of() | {"backdoor": np.zeros(3, np.float32)})}, ArchitectureMismatch),
        ({WEIGHTS: save({"output.bias": np.zeros(3, np.float32)})}, ArchitectureMismatch),
        ({MODEL: _as_json(input_dim=5)}, InvalidManifest),
        ({MODEL: _as_json(hidden_dim=16)}, ArchitectureMismatch),
        ({MODEL: _as_json(mode="evil_mode")}, ArchitectureMismatch),
        ({MODEL: _as_json(auto_map="evil.py")}, ArchitectureMismatch),
        ({MODEL: b"[" * 100_000}, ArchitectureMismatch),
        ({MODEL: _as_json(classes=["x", "y", "z"])}, InvalidManifest),
        ({PREPROCESS: b"{}"}, InvalidManifest),
        ({PREPROCESS: b"[]"}, InvalidManifest),
        ({PREPROCESS: b"{" * 100_000}, InvalidManifest),
        ({PREPROCESS: b"[" + b"0," * 500_000 + b"0]"}, InvalidManifest),
        ({PREPROCESS: b" " * (8 * 1024 * 1024 + 1)}, InvalidManifest),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_files_that_are_no_model_are_refused(
    gateway: BytesGateway, foreign: ForeignBundles, changed: Mapping[str, bytes], error: type[InvalidArgument]
) -> None:
    put(gateway, a_bundle(changed))
    found = await refused(foreign)
    assert type(found) is error
    assert len(found.message) < 700


async def test_a_model_of_more_parameters_than_the_limit_is_refused_by_its_description(
    gateway: BytesGateway, foreign: ForeignBundles
) -> None:
    bomb = Architecture.model_validate(AN_ARCHITECTURE.model_dump() | {"hidden_dim": 65_536, "num_hidden_layers": 256})
    put(gateway, a_bundle({MODEL: bomb.model_dump_json().encode()}))
    assert isinstance(await refused(foreign), ModelTooLarge)


async def test_weights_over_the_limit_are_not_even_copied(
    gateway: BytesGateway, foreign: ForeignBundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(gateway, a_bundle())
    with (folder / WEIGHTS).open("r+b") as file:
        file.truncate(2 * 1024**3)  # a hole: it takes no room
    copied: list[OpenFile] = []
    take_in = gateway.intake.take_in

    async def counting(project: str, opened: OpenFile, *, field: str) -> BlobInfo:
        copied.append(opened)
        return await take_in(project, opened, field=field)

    monkeypatch.setattr(gateway.intake, "take_in", counting)
    assert isinstance(await refused(foreign), InvalidManifest)
    assert len(copied) == len(MODEL_FILES) - 1


async def test_a_manifest_of_other_files_is_refused(gateway: BytesGateway, foreign: ForeignBundles) -> None:
    folder = put(gateway, a_bundle())
    (folder / WEIGHTS).write_bytes(save(tensors_of(fill=0.75)))
    error = await refused(foreign)
    assert isinstance(error, InvalidManifest)
    assert WEIGHTS in error.message


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": 2}'])
async def test_a_manifest_that_is_none_is_refused(
    gateway: BytesGateway, foreign: ForeignBundles, content: bytes
) -> None:
    put(gateway, a_bundle() | {MANIFEST: content})
    assert isinstance(await refused(foreign), InvalidManifest)


async def test_a_bundle_of_another_kind_is_refused_by_name(gateway: BytesGateway, foreign: ForeignBundles) -> None:
    put(gateway, a_bundle(kind="toy"))
    assert "toy" in (await refused(foreign)).message
