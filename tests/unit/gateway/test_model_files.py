"""The files of a model, checked without torch; every sort of bad file is in test_foreign_bundles.py and tests/abuse."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.model_files import (
    JSON_VALUES_MAX,
    check_ends,
    check_file,
    read_architecture,
    read_json,
    read_manifest,
)
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, ForbiddenContent, InvalidManifest
from headway.testing.builders import a_claimed_record, a_record
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import Artifact
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import AN_ARCHITECTURE, result_files, upload_all, with_manifest


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        yield gateway


async def stored(gateway: BytesGateway, changed: dict[str, bytes] | None = None) -> dict[str, Artifact]:
    """A bundle in the store."""
    files = with_manifest(result_files() | (changed or {}), a_claimed_record(a_record()))
    return {file.path: file for file in (await upload_all(gateway, files)).artifacts}


async def test_a_good_bundle_is_read_and_every_file_of_it_passes(gateway: BytesGateway) -> None:
    files = await stored(gateway)
    assert read_architecture(gateway.blobs, "demo", files) == AN_ARCHITECTURE
    assert read_manifest(gateway.blobs, "demo", files["manifest.json"]).kind == "tabular_train"
    for path, file in files.items():
        check_file(gateway.blobs, "demo", path, file, AN_ARCHITECTURE)


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a", "b", "c", "c"], "abcd", ["a", "b", "c", "d", "e"]])
async def test_features_must_be_as_many_as_the_model_takes_and_different(
    gateway: BytesGateway, names: list[str] | str
) -> None:
    files = await stored(gateway, {"preprocess.json": json.dumps({"feature_names": names}).encode()})
    with pytest.raises(InvalidManifest, match="4 different features"):
        read_architecture(gateway.blobs, "demo", files)


async def test_bytes_that_have_gone_bad_are_set_aside_and_not_blamed_on_the_sender(gateway: BytesGateway) -> None:
    files = await stored(gateway)
    weights = files["model.safetensors"]
    path = gateway.blobs.path("demo", weights.digest)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x7F
    path.chmod(0o600)
    path.write_bytes(bytes(content))
    with pytest.raises(DigestMismatch):
        check_file(gateway.blobs, "demo", "model.safetensors", weights, AN_ARCHITECTURE)
    assert gateway.blobs.find("demo", weights.digest) is None


async def test_a_text_of_too_many_values_is_not_parsed(gateway: BytesGateway) -> None:
    content = b"[" + b"0," * JSON_VALUES_MAX + b"0]"
    files = await stored(gateway, {"metrics.json": content})
    file = files["metrics.json"]
    assert file.digest == sha256_of(content)
    with pytest.raises(InvalidManifest, match="values"):
        read_json(gateway.blobs, "demo", file, len(content))
    with pytest.raises(InvalidManifest, match="limit"):
        read_json(gateway.blobs, "demo", file, len(content) - 1)


def test_the_ends_of_a_file_are_looked_at_and_nothing_is_consumed() -> None:
    file = io.BytesIO(b"a text" * 1000)
    check_ends(file, "notes.txt", 6000)
    assert file.tell() == 0
    with pytest.raises(ForbiddenContent):
        check_ends(io.BytesIO(b"(dp0\n" + b"x" * 5000 + b"."), "notes.txt", 5006)
