"""Rows D of the abuse corpus: what a confused or hostile host may send, and what it hears.

After every row the same job's good bundle is still accepted: a bad payload never spoils a good one.
"""

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import grpc
import numpy as np
import pytest
from isal import isal_zlib
from safetensors.numpy import save

from gateway.blobs.settings import BlobSettings
from headway.contract.architectures import Architecture
from headway.contract.digests import sha256_of
from headway.contract.errors import Code
from headway.contract.transitions import commit_result, request_cancel
from headway.runtime.principal import Principal
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    BLOB_ENCODING_IDENTITY,
    UploadBlobRequest,
    UploadChunk,
    UploadHeader,
)
from headway.v1.jobs_pb2 import Bundle, JobResult, Progress, ResultSummary
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultRequest, CommitResultResponse, ReportTelemetryRequest
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.result_bundles import (
    A_SUMMARY,
    AN_ARCHITECTURE,
    checkpoint_request,
    commit_request,
    keep,
    result_files,
    tensors_of,
    upload_all,
    upload_messages,
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


async def refused(call: Awaitable[object]) -> RemoteError:
    """The error of a call that must be refused."""
    with pytest.raises(RemoteError) as caught:
        await answer(call)  # type: ignore[arg-type]
    assert len(caught.value.message) < 1024
    return caught.value


async def still_accepts(gateway: BytesGateway, record: JobRecord) -> None:
    """The good bundle of the same job is taken."""
    bundle = await upload_all(gateway, with_manifest(result_files(fill=0.125), record))
    accepted = await gateway.result.CommitResult(commit_request(record, bundle))
    assert accepted.disposition == CommitResultResponse.DISPOSITION_ACCEPTED


# --- D1-D8: by what right -----------------------------------------------------------------------------------------

Change = Callable[[JobRecord], JobRecord]


def _next_attempt(record: JobRecord) -> JobRecord:
    changed = JobRecord()
    changed.CopyFrom(record)
    changed.job.attempt += 1
    changed.job.attempts.add().CopyFrom(record.job.attempts[-1])
    changed.job.attempts[-1].number = changed.job.attempt
    return changed


def _queued(_: JobRecord) -> JobRecord:
    return a_record()


def _cancelled(record: JobRecord) -> JobRecord:
    return request_cancel(record, message="", now=A_MOMENT) or record


def _saved(record: JobRecord) -> JobRecord:
    result = JobResult(bundle=Bundle(digest=DIGEST), summary=A_SUMMARY, attempt=1)
    return commit_result(record, host=record.job.host, result=result, now=A_MOMENT)


@pytest.mark.parametrize(
    ("row", "change", "attempt", "code", "reason"),
    [
        ("D3", lambda record: record, 0, IA, "OUT_OF_RANGE"),
        ("D3", _next_attempt, 1, FP, "STALE_ATTEMPT"),
        ("D4", lambda record: record, 2, FP, "STALE_ATTEMPT"),
        ("D5", _queued, 1, FP, "STALE_ATTEMPT"),
        ("D6", _cancelled, 1, FP, "CANCELLED"),
        ("D8", _saved, 1, FP, "ALREADY_SAVED"),
    ],
)
async def test_a_write_without_the_right_changes_nothing(
    gateway: BytesGateway, row: str, change: Change, attempt: int, code: Code, reason: str
) -> None:
    claimed = a_claimed_record()
    record = change(claimed)
    await keep(gateway, record)
    bundle = await upload_all(gateway, with_manifest(result_files(), claimed))
    request = CommitResultRequest(
        job=record.job.name, attempt=attempt, host="hosts/anton", bundle=bundle, summary=A_SUMMARY
    )
    before = await gateway.jobs.get(record.job.name.rpartition("/")[2])
    error = await refused(gateway.result.CommitResult(request))
    assert (row, error.code, error.reason) == (row, code, reason)
    assert (await gateway.jobs.get(before.key)).revision == before.revision


async def test_d1_an_unknown_job_and_one_of_another_project_are_the_same(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record(a_record(project="other")))
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    elsewhere = commit_request(record, bundle)
    elsewhere.job = elsewhere.job.replace("projects/other", PARENT)
    unknown = commit_request(a_claimed_record(), bundle)
    errors = [await refused(gateway.result.CommitResult(request)) for request in (elsewhere, unknown)]
    assert {(error.code, error.reason, error.message) for error in errors} == {(NF, "NOT_FOUND", errors[0].message)}


async def test_d2_a_host_cannot_write_as_another(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    gateway.keys.principals["berta"] = Principal(
        key_id="k2", user_id="", scopes=frozenset({"host"}), projects=frozenset({"*"}), host_id="berta"
    )
    metadata = (("x-api-key", "berta"),)
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle), metadata=metadata))
    assert (error.code, error.reason) == (PD, "PERMISSION_DENIED")
    as_berta = commit_request(record, bundle)
    as_berta.host = "hosts/berta"
    error = await refused(gateway.result.CommitResult(as_berta, metadata=metadata))
    assert (error.code, error.reason) == (FP, "STALE_ATTEMPT")
    await still_accepts(gateway, record)


async def test_d7_the_same_result_again_is_a_duplicate(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    answers = [await gateway.result.CommitResult(commit_request(record, bundle)) for _ in range(3)]
    assert [one.disposition for one in answers] == [1, 2, 2]


# --- D9-D29: the stream ------------------------------------------------------------------------------------------


def _header(**changes: object) -> UploadBlobRequest:
    fields = {"parent": PARENT, "digest": DIGEST, "size_bytes": len(CONTENT), "encoding": BLOB_ENCODING_GZIP}
    return UploadBlobRequest(header=UploadHeader(**{**fields, **changes}))  # type: ignore[arg-type]


def _chunk(data: bytes, offset: int = 0) -> UploadBlobRequest:
    return UploadBlobRequest(chunk=UploadChunk(offset_bytes=offset, data=data))


def _gzip(stream: bytes, **changes: object) -> list[UploadBlobRequest]:
    return [_header(**changes), _chunk(stream)]


def _with_name(name: bytes) -> bytes:
    return GOOD_GZIP[:3] + bytes([GOOD_GZIP[3] | 8]) + GOOD_GZIP[4:10] + name + b"\0" + GOOD_GZIP[10:]


STREAMS: list[tuple[str, list[UploadBlobRequest], Code, str]] = [
    ("D9 chunk first", [_chunk(GOOD_GZIP)], IA, "STREAM_PROTOCOL"),
    ("D9 nothing at all", [], IA, "STREAM_PROTOCOL"),
    ("D9 empty message", [UploadBlobRequest()], IA, "STREAM_PROTOCOL"),
    ("D10 two headers", [_header(), _header(), _chunk(GOOD_GZIP)], IA, "STREAM_PROTOCOL"),
    ("D11 gap", [_header(), _chunk(GOOD_GZIP[:9]), _chunk(GOOD_GZIP[10:], 10)], IA, "STREAM_PROTOCOL"),
    ("D11 overlap", [_header(), _chunk(GOOD_GZIP[:9]), _chunk(GOOD_GZIP[8:], 8)], IA, "STREAM_PROTOCOL"),
    ("D11 wrong order", [_header(), _chunk(GOOD_GZIP[9:], 9), _chunk(GOOD_GZIP[:9])], IA, "STREAM_PROTOCOL"),
    ("D12 no chunk", [_header()], IA, "STREAM_PROTOCOL"),
    ("D13 empty chunks", [_header(), *[_chunk(b"")] * 1000], IA, "FIELD_REQUIRED"),
    ("D13 too long a chunk", [_header(), _chunk(b"x" * (1024 * 1024 + 1))], IA, "STREAM_PROTOCOL"),
    ("D14 more than declared", _gzip(GOOD_GZIP, size_bytes=len(CONTENT) - 1), IA, "SIZE_MISMATCH"),
    ("D15 less than declared", _gzip(GOOD_GZIP, size_bytes=len(CONTENT) + 1), IA, "SIZE_MISMATCH"),
    ("D16 size 2^63-1", _gzip(GOOD_GZIP, size_bytes=2**63 - 1), Code.RESOURCE_EXHAUSTED, "BLOB_TOO_LARGE"),
    ("D17 negative size", _gzip(GOOD_GZIP, size_bytes=-1), IA, "SIZE_MISMATCH"),
    ("D17 negative offset", _gzip(GOOD_GZIP, offset_bytes=-1), IA, "OUT_OF_RANGE"),
    ("D18 other bytes", _gzip(isal_zlib.compress(CONTENT[::-1], 1, wbits=31)), Code.DATA_LOSS, "DIGEST_MISMATCH"),
    ("D19 no digest", _gzip(GOOD_GZIP, digest=""), IA, "FIELD_REQUIRED"),
    ("D19 short digest", _gzip(GOOD_GZIP, digest=DIGEST[:-1]), IA, "DIGEST"),
    ("D19 upper case", _gzip(GOOD_GZIP, digest=DIGEST.upper()), IA, "DIGEST"),
    ("D19 path", _gzip(GOOD_GZIP, digest="sha256:../../../../etc/passwd"), IA, "DIGEST"),
    ("D20 not gzip", _gzip(CONTENT), IA, "GZIP_INVALID"),
    ("D21 truncated", _gzip(GOOD_GZIP[:-9]), IA, "GZIP_INVALID"),
    ("D22 bad CRC", _gzip(GOOD_GZIP[:-8] + b"\0\0\0\0" + GOOD_GZIP[-4:]), IA, "GZIP_INVALID"),
    ("D23 bad ISIZE", _gzip(GOOD_GZIP[:-4] + b"\0\0\0\1"), IA, "GZIP_INVALID"),
    ("D24 trailing bytes", _gzip(GOOD_GZIP + b"x"), IA, "GZIP_INVALID"),
    ("D25 two members", _gzip(GOOD_GZIP + GOOD_GZIP), IA, "GZIP_INVALID"),
    ("D26 bomb", _gzip(isal_zlib.compress(bytes(1 << 26), 3, wbits=31)), IA, "SIZE_MISMATCH"),
    ("D27 gzip in gzip", _gzip(isal_zlib.compress(GOOD_GZIP, 1, wbits=31)), IA, "SIZE_MISMATCH"),
    ("D28 zlib", _gzip(zlib.compress(CONTENT)), IA, "GZIP_INVALID"),
    ("D28 zstd", _gzip(b"\x28\xb5\x2f\xfd" + CONTENT), IA, "GZIP_INVALID"),
    ("D28 unknown encoding", _gzip(GOOD_GZIP, encoding=9), IA, "UNKNOWN_ENUM_VALUE"),
    ("D51 over the cap", _gzip(GOOD_GZIP, size_bytes=2**31), Code.RESOURCE_EXHAUSTED, "BLOB_TOO_LARGE"),
    ("other project", _gzip(GOOD_GZIP, parent="projects/../etc"), IA, "INVALID_NAME"),
]


@pytest.mark.parametrize(("row", "messages", "code", "reason"), STREAMS, ids=[row[0] for row in STREAMS])
async def test_a_wrong_stream_is_refused_and_leaves_nothing_behind(
    gateway: BytesGateway, row: str, messages: list[UploadBlobRequest], code: Code, reason: str
) -> None:
    error = await refused(gateway.blob.UploadBlob(iter(messages)))
    assert (row, error.code, error.reason) == (row, code, reason)
    assert gateway.blobs.find("demo", DIGEST) is None
    # The good upload of the same blob still succeeds.
    assert (await gateway.blob.UploadBlob(upload_messages(CONTENT))).digest == DIGEST
    assert list((gateway.home / "gateway").rglob("*.part")) == []


async def test_d29_the_name_in_a_gzip_header_is_ignored(gateway: BytesGateway) -> None:
    await gateway.blob.UploadBlob(iter(_gzip(_with_name(b"../../../evil"))))
    assert [path.name for path in gateway.home.rglob("*evil*")] == []
    assert gateway.blobs.find("demo", DIGEST) is not None


@pytest.mark.parametrize("bytes_a_second", [0, 10])
async def test_d52_a_trickle_is_ended_and_its_slot_is_free(tmp_path: Path, bytes_a_second: int) -> None:
    settings = BlobSettings(idle_seconds=0.4, num_upload_slots=100)
    async with bytes_gateway(tmp_path, settings=settings) as gateway:
        calls = [gateway.blob.UploadBlob(_trickle(bytes_a_second, CONTENT)) for _ in range(100)]
        errors = [await refused(call) for call in calls]
        # A client that writes at the moment of the end may hear its own library's error instead of the status.
        assert {error.reason for error in errors if "from Core" not in error.message} == {"DEADLINE_EXCEEDED"}
        assert (await gateway.blob.UploadBlob(upload_messages(CONTENT))).digest == DIGEST


async def _trickle(bytes_a_second: int, content: bytes) -> AsyncIterator[UploadBlobRequest]:
    yield _header(encoding=BLOB_ENCODING_IDENTITY)
    for offset in range(len(content)):
        await asyncio.sleep(1 / bytes_a_second if bytes_a_second else 60)
        yield _chunk(content[offset : offset + 1], offset)


async def test_uploads_beyond_the_slots_are_told_to_come_back(tmp_path: Path) -> None:
    settings = BlobSettings(idle_seconds=5, num_upload_slots=1)
    async with bytes_gateway(tmp_path, settings=settings) as gateway:
        first = gateway.blob.UploadBlob(_trickle(0, CONTENT))

        async def is_taken() -> bool:
            return gateway.uploads.num_taken == 1

        await eventually(is_taken)
        error = await refused(gateway.blob.UploadBlob(upload_messages(b"other")))
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS")
        assert error.retry_after == timedelta(seconds=1)
        first.cancel()


# --- D30-D50: the content ------------------------------------------------------------------------------------------

CANARY = "headway-canary"
SYSTEM_PICKLE = b"\x80\x04cposix\nsystem\nX\x10\x00\x00\x00touch " + CANARY[:10].encode() + b"\x85R."


def _safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def _numbers(**changes: "np.ndarray") -> bytes:
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
        _safetensors(b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{}}'),
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
    other = {"of another job": a_claimed_record(), "of another attempt": _next_attempt(record)}.get(kind, record)
    files = with_manifest(result_files(), other, kind="toy" if kind == "of another kind" else "")
    error = await refused(gateway.result.CommitResult(commit_request(record, await upload_all(gateway, files))))
    assert (error.code, error.reason) == (IA, "MANIFEST")
    await still_accepts(gateway, record)


@pytest.mark.parametrize(
    "summary",
    [
        ResultSummary(metrics={"loss": float("nan")}),
        ResultSummary(metrics={"loss": float("inf")}),
        ResultSummary(metrics={"x" * 65: 1.0}),
        ResultSummary(metrics={"a\nb": 1.0}),
        ResultSummary(metrics={f"m{at}": 1.0 for at in range(129)}),
        ResultSummary(warnings=["w"] * 33),
        ResultSummary(num_steps=-1),
        ResultSummary(headline_metric="x" * 65),
    ],
)
async def test_numbers_that_cannot_be_are_refused(gateway: BytesGateway, summary: ResultSummary) -> None:
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle, summary)))
    assert (error.code, error.reason) == (IA, "OUT_OF_RANGE")
    assert error.violations[0].field.startswith("summary.")
    await still_accepts(gateway, record)


# --- D53, D54: checkpoints and progress ----------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-1, 10**9])
async def test_d53_a_checkpoint_of_an_impossible_step_is_refused(gateway: BytesGateway, step: int) -> None:
    record = a_claimed_record()
    record.job.admission.total_steps = 100
    await keep(gateway, record)
    bundle = await upload_all(gateway, with_manifest({"state.safetensors": save(tensors_of())}, record))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, step)))
    assert (error.code, error.reason) == (IA, "OUT_OF_RANGE")
    assert (await gateway.result.CommitCheckpoint(checkpoint_request(record, bundle, 50))).checkpoint.step == 50


async def test_d53_a_checkpoint_of_another_job_or_with_a_pickle_is_refused(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    foreign = await upload_all(gateway, with_manifest({"state.safetensors": save(tensors_of())}, a_claimed_record()))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, foreign, 1)))
    assert (error.code, error.reason) == (IA, "MANIFEST")
    pickled = await upload_all(gateway, with_manifest({"state.bin": SYSTEM_PICKLE}, record))
    error = await refused(gateway.result.CommitCheckpoint(checkpoint_request(record, pickled, 1)))
    assert (error.code, error.reason) == (IA, "FORBIDDEN_CONTENT")


def _reports(record: JobRecord, progresses: Iterator[Progress]) -> Iterator[ReportTelemetryRequest]:
    for progress in progresses:
        yield ReportTelemetryRequest(
            job=record.job.name, attempt=record.job.attempt, host=record.job.host, progress=progress
        )


async def test_d54_a_flood_of_impossible_progress_is_clamped_and_coalesced(gateway: BytesGateway) -> None:
    from headway.contract.subjects import PROGRESS

    record = await keep(gateway, a_claimed_record())
    flood = (
        Progress(step=(7 * at) % 100, total_steps=50, epoch=99, total_epochs=3, loss=float("nan")) for at in range(5000)
    )
    await gateway.result.ReportTelemetry(_reports(record, flood))

    message = None
    while message is None:
        message = await gateway.bus.last_message(PROGRESS, PROGRESS.subjects[0])
    data = json.loads(message.data)["data"]
    assert (data["epoch"], data["total_epochs"]) == (3, 3)
    assert int(data["step"]) <= 50
    # Ten a second at most, whatever the host sends.
    assert (await gateway.bus.stream_state(PROGRESS)).last_sequence < 100


@pytest.mark.parametrize(
    "lines",
    [[LogLine(number=1, attempt=1)] * 501, [LogLine(number=-1, attempt=1)]],
)
async def test_log_lines_that_cannot_be_are_refused(gateway: BytesGateway, lines: list[LogLine]) -> None:
    record = await keep(gateway, a_claimed_record())
    request = ReportTelemetryRequest(job=record.job.name, attempt=1, host=record.job.host, lines=lines)
    error = await refused(gateway.result.ReportTelemetry(iter([request])))
    assert (error.code, error.reason) == (IA, "STREAM_PROTOCOL")


async def test_secrets_in_log_lines_are_not_kept(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_claimed_record())
    line = LogLine(number=1, attempt=1, message="key hw_abcdefghijkl_secretsecret at /home/ada/corpus/x.txt")
    line.fields["path"] = "/home/ada/corpus/x.txt"
    request = ReportTelemetryRequest(job=record.job.name, attempt=1, host=record.job.host, lines=[line])
    assert (await gateway.result.ReportTelemetry(iter([request]))).num_lines == 1
    kept = b"".join(path.read_bytes() for path in (gateway.home / "gateway" / "logs").glob("*.jsonl"))
    assert b"secretsecret" not in kept
    assert b"/home/ada" not in kept


async def test_regression_and_linear_models_are_taken_too(gateway: BytesGateway) -> None:
    for mode, task, output_dim in (("linear_glm_baseline", "regression", 1), ("mlp_dense", "regression", 1)):
        architecture = Architecture(
            kind="tabular_train",
            mode=mode,
            task=task,
            input_dim=4,
            output_dim=output_dim,  # type: ignore[arg-type]
        )
        record = await keep(gateway, a_claimed_record())
        bundle = await upload_all(gateway, with_manifest(result_files(architecture), record))
        accepted = await gateway.result.CommitResult(commit_request(record, bundle))
        assert accepted.disposition == CommitResultResponse.DISPOSITION_ACCEPTED
    assert grpc.StatusCode.OK
