"""Rows D30-D50 of the abuse corpus (F40): what a bundle and its files may not be.

After every row the same job's good bundle is still accepted: a bad payload never spoils a good one.
"""

import json
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from isal import isal_zlib
from safetensors.numpy import save

from gateway.blobs.settings import BlobSettings
from headway.contract.architectures import Architecture
from headway.contract.digests import sha256_of
from headway.contract.errors import Code
from headway.testing.builders import a_claimed_record
from headway.v1.jobs_pb2 import Bundle
from headway.v1.results_service_pb2 import CommitResultResponse
from tests.byte_rows import next_attempt, refused, still_accepts
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import (
    AN_ARCHITECTURE,
    Numbers,
    checkpoint_request,
    commit_request,
    keep,
    result_files,
    tensors_of,
    upload_all,
    with_manifest,
)

IA, NF, PD, FP = Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.FAILED_PRECONDITION
CONTENT = bytes(range(256)) * 64
DIGEST = sha256_of(CONTENT)
GOOD_GZIP = isal_zlib.compress(CONTENT, 1, wbits=31)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[BytesGateway]:
    settings = BlobSettings(max_blob_bytes=64 * 1024 * 1024, idle_seconds=0.5)
    async with bytes_gateway(tmp_path, settings=settings) as gateway:
        yield gateway


CANARY = "headway-canary"
SYSTEM_PICKLE = b"\x80\x04cposix\nsystem\nX\x10\x00\x00\x00touch " + CANARY[:10].encode() + b"\x85R."


def _safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _numbers(**changes: Numbers) -> bytes:
    return save({**tensors_of(), **{name.replace("__", "."): value for name, value in changes.items()}})


def _nan_in(name: str) -> bytes:
    tensors = tensors_of()
    tensors[name].flat[-1] = np.nan
    return save(tensors)


def _without(name: str) -> bytes:
    return save({key: value for key, value in tensors_of().items() if key != name})


WEIGHTS: list[tuple[str, bytes, str]] = [
    ("D30 pickle", SYSTEM_PICKLE, "FORBIDDEN_CONTENT"),
    ("D31 protocol 0", b"cposix\nsystem\n(S'touch x'\ntR.", "FORBIDDEN_CONTENT"),
    ("D31 protocol 2", b"\x80\x02}q\x00.", "FORBIDDEN_CONTENT"),
    ("D32 legacy tar", b"\0" * 257 + b"ustar\0" + b"\0" * 500, "FORBIDDEN_CONTENT"),
    ("D32 legacy torch", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "FORBIDDEN_CONTENT"),
    ("D34 marks", b"\x80\x04" + b"(" * 100_000, "FORBIDDEN_CONTENT"),
    ("D35-D37 torch zip", b"PK\x03\x04" + b"\0" * 1600, "FORBIDDEN_CONTENT"),
    ("D37 gzip", GOOD_GZIP, "FORBIDDEN_CONTENT"),
    ("D38 complex", _safetensors({"a": _tensor("C64", [1], [0, 8])}, bytes(8)), "TENSOR_INVALID"),
    ("D38 float8", _safetensors({"a": _tensor("F8_E4M3", [1], [0, 1])}, bytes(1)), "TENSOR_INVALID"),
    ("D35 stride-like claim", _safetensors({"a": _tensor("F32", [10**12], [0, 4])}, bytes(4)), "SAFETENSORS_INVALID"),
    (
        "D39 aliases",
        _safetensors({"a": _tensor(), "b": _tensor()}, bytes(4)),
        "SAFETENSORS_INVALID",
    ),
    ("D40 not a dict", _safetensors([1, 2]), "SAFETENSORS_INVALID"),
    ("D41 nested", _safetensors({"a": {"b": _tensor()}}, bytes(4)), "SAFETENSORS_INVALID"),
    ("D43 NUL in a name", _safetensors({"a\0b": _tensor()}, bytes(4)), "TENSOR_INVALID"),
    ("D43 long name", _safetensors({"a" * 10_000: _tensor()}, bytes(4)), "TENSOR_INVALID"),
    ("D43 dots in a name", _safetensors({"../a": _tensor()}, bytes(4)), "TENSOR_INVALID"),
    ("D44 deep", _safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "SAFETENSORS_INVALID"),
    (
        "D45 100,001 tensors",
        _safetensors({f"t{at}": _tensor("F32", [0], [0, 0]) for at in range(100_001)}),
        "TOO_MANY_TENSORS",
    ),
    ("D47 header 2^63", _safetensors(b"{}", length=2**63), "SAFETENSORS_INVALID"),
    ("D47 header over file", _safetensors(b"{}", length=3), "SAFETENSORS_INVALID"),
    ("D47 bad JSON", _safetensors(b"{"), "SAFETENSORS_INVALID"),
    ("D47 not UTF-8", _safetensors(b"\xff\xfe{}"), "SAFETENSORS_INVALID"),
    (
        "D47 overlap",
        _safetensors({"a": _tensor("F32", [2], [0, 8]), "b": _tensor("F32", [1], [4, 8])}, bytes(8)),
        "SAFETENSORS_INVALID",
    ),
    (
        "D47 hole",
        _safetensors({"a": _tensor(), "b": _tensor("F32", [1], [8, 12])}, bytes(12)),
        "SAFETENSORS_INVALID",
    ),
    ("D47 overflow", _safetensors({"a": _tensor("F32", [2**62, 4], [0, 0])}), "SAFETENSORS_INVALID"),
    ("D47 negative shape", _safetensors({"a": _tensor("F32", [-1], [0, 4])}, bytes(4)), "TENSOR_INVALID"),
    ("D47 true as size", _safetensors({"a": _tensor("F32", [True], [0, 4])}, bytes(4)), "TENSOR_INVALID"),
    ("D47 trailing bytes", _safetensors({"a": _tensor()}, bytes(5)), "SAFETENSORS_INVALID"),
    (
        "D47 doubled key",
        _safetensors(
            b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
        ),
        "SAFETENSORS_INVALID",
    ),
    ("D47 metadata", _safetensors({"__metadata__": {"a": 1}, "b": _tensor()}, bytes(4)), "SAFETENSORS_INVALID"),
    ("D47 nine dimensions", _safetensors({"a": _tensor("F32", [1] * 9, [0, 4])}, bytes(4)), "TENSOR_INVALID"),
    ("empty file", b"", "SAFETENSORS_INVALID"),
    ("no tensor", _safetensors({}), "SAFETENSORS_INVALID"),
    ("D48 missing", _without("output.bias"), "ARCHITECTURE_MISMATCH"),
    ("D48 extra", _numbers(extra=np.zeros(1, "float32")), "ARCHITECTURE_MISMATCH"),
    ("D48 shape", _numbers(output__bias=np.zeros(4, "float32")), "ARCHITECTURE_MISMATCH"),
    ("D48 dtype", _numbers(output__bias=np.zeros(3, "float64")), "ARCHITECTURE_MISMATCH"),
    ("not finite", _nan_in("output.weight"), "TENSOR_INVALID"),
    ("not finite in a buffer", _nan_in("layers.0.norm.running_var"), "TENSOR_INVALID"),
]


@pytest.mark.parametrize(("row", "weights", "reason"), WEIGHTS, ids=[row[0] for row in WEIGHTS])
async def test_bad_weights_never_become_a_model(gateway: BytesGateway, row: str, weights: bytes, reason: str) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(weights=weights), record))
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle)))
    assert (row, error.code, error.reason) == (row, IA, reason)
    assert not list(Path.cwd().glob(f"{CANARY}*"))
    await still_accepts(gateway, record)


def _spoiled(**changes: bytes | None) -> dict[str, bytes]:
    files: dict[str, bytes | None] = {**result_files(), **{_path(name): content for name, content in changes.items()}}
    return {path: content for path, content in files.items() if content is not None}


def _path(name: str) -> str:
    return name.replace("__", ".").replace("_SLASH_", "/")


def _model_json(**changes: object) -> bytes:
    return json.dumps({**AN_ARCHITECTURE.model_dump(), **changes}).encode()


FILES: list[tuple[str, Mapping[str, bytes], str]] = [
    ("no model.json", _spoiled(model__json=None), "MANIFEST"),
    ("no weights", _spoiled(model__safetensors=None), "MANIFEST"),
    ("foreign file", _spoiled(evil__sh=b"rm"), "MANIFEST"),
    ("pickle beside", {**result_files(), "history.csv": b"\x80\x04."}, "FORBIDDEN_CONTENT"),
    ("program beside", {**result_files(), "history.csv": b"#!/bin/sh\n"}, "FORBIDDEN_CONTENT"),
    ("model.json of another shape", _spoiled(model__json=_model_json(hidden_dim=9)), "ARCHITECTURE_MISMATCH"),
    ("model.json without classes", _spoiled(model__json=_model_json(classes=None)), "ARCHITECTURE_MISMATCH"),
    ("model.json unknown mode", _spoiled(model__json=_model_json(mode="evil")), "ARCHITECTURE_MISMATCH"),
    ("model.json unknown key", _spoiled(model__json=_model_json(auto_map="evil")), "ARCHITECTURE_MISMATCH"),
    ("model.json huge", _spoiled(model__json=_model_json(input_dim=10**12)), "ARCHITECTURE_MISMATCH"),
    ("model.json no JSON", _spoiled(model__json=b"{"), "ARCHITECTURE_MISMATCH"),
    ("D50 too few features", _spoiled(preprocess__json=b'{"feature_names": ["a"]}'), "MANIFEST"),
    ("D50 doubled features", _spoiled(preprocess__json=b'{"feature_names": ["a","a","b","c"]}'), "MANIFEST"),
    ("D50 10 MB", _spoiled(preprocess__json=b'{"x": "' + b"y" * 10_000_000 + b'"}'), "MANIFEST"),
    ("D50 no JSON", _spoiled(preprocess__json=b"["), "MANIFEST"),
]


@pytest.mark.parametrize(("row", "files", "reason"), FILES, ids=[row[0] for row in FILES])
async def test_a_bad_bundle_never_becomes_a_model(
    gateway: BytesGateway, row: str, files: Mapping[str, bytes], reason: str
) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(files, record))
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle)))
    assert (row, error.code, error.reason) == (row, IA, reason)
    await still_accepts(gateway, record)


def _other_digest(bundle: Bundle) -> None:
    bundle.digest = DIGEST


def _escape(bundle: Bundle) -> None:
    bundle.artifacts[0].path = "../../etc/cron.d/x"


def _double(bundle: Bundle) -> None:
    bundle.artifacts.add().CopyFrom(bundle.artifacts[0])


def _wrong_size(bundle: Bundle) -> None:
    bundle.artifacts[0].size_bytes += 1


def _renamed(bundle: Bundle) -> None:
    bundle.artifacts[4].path = "loss.svg"


def _many(bundle: Bundle) -> None:
    for at in range(256):
        bundle.artifacts.add(path=f"f{at}", digest=DIGEST, size_bytes=1)


def _not_sent(bundle: Bundle) -> None:
    bundle.artifacts[0].digest = DIGEST


LISTS: list[tuple[str, Callable[[Bundle], None], Code, str]] = [
    ("digest of no manifest", _other_digest, IA, "MANIFEST"),
    ("path out", _escape, IA, "MANIFEST"),
    ("listed twice", _double, IA, "MANIFEST"),
    ("wrong size", _wrong_size, IA, "MANIFEST"),
    ("not as in the manifest", _renamed, IA, "MANIFEST"),
    ("too many files", _many, IA, "MANIFEST"),
    ("not uploaded", _not_sent, FP, "BLOB_MISSING"),
]


@pytest.mark.parametrize(("row", "spoil", "code", "reason"), LISTS, ids=[row[0] for row in LISTS])
async def test_a_bundle_is_exactly_what_its_manifest_lists(
    gateway: BytesGateway, row: str, spoil: Callable[[Bundle], None], code: Code, reason: str
) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    spoil(bundle)
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle)))
    assert (row, error.code, error.reason) == (row, code, reason)
    await still_accepts(gateway, record)


@pytest.mark.parametrize("kind", ["of another job", "of another kind", "of another attempt"])
async def test_a_manifest_of_something_else_is_refused(gateway: BytesGateway, kind: str) -> None:
    record = await keep(gateway, a_claimed_record())
    other = {"of another job": a_claimed_record(), "of another attempt": next_attempt(record)}.get(kind, record)
    files = with_manifest(result_files(), other, kind="toy" if kind == "of another kind" else "")
    error = await refused(gateway.result.CommitResult(commit_request(record, await upload_all(gateway, files))))
    assert (error.code, error.reason) == (IA, "MANIFEST")
    await still_accepts(gateway, record)


async def test_a_path_that_leaves_the_bundle_is_refused(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    for path in ("../../etc/cron.d/x", "/etc/x", "a/../x", "a//x", "a\\x", "./x", "x" * 201, "a b", "-\n"):
        bundle = await upload_all(gateway, with_manifest({path: b"* * * * * root true"}, record))
        error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, 1)))
        assert (path, error.code, error.reason) == (path, IA, "MANIFEST")
        assert "not a path" in error.message


@pytest.mark.parametrize("mode", ["linear_glm_baseline", "mlp_dense"])
async def test_regression_and_linear_models_are_taken_too(gateway: BytesGateway, mode: str) -> None:
    described = {"kind": "tabular_train", "mode": mode, "task": "regression", "input_dim": 4, "output_dim": 1}
    architecture = Architecture.model_validate(described)
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(architecture), record))
    accepted = await gateway.result.CommitResult(commit_request(record, bundle))
    assert accepted.disposition == CommitResultResponse.DISPOSITION_ACCEPTED
