"""Rows D9-D29, D51 and D52 of the abuse corpus (F40): what an upload stream may not be.

After every row the good upload of the same blob still succeeds.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from isal import isal_zlib

from gateway.blobs.settings import BlobSettings
from headway.contract.digests import sha256_of
from headway.contract.errors import Code
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    BLOB_ENCODING_IDENTITY,
    UploadBlobRequest,
    UploadChunk,
    UploadHeader,
)
from tests.byte_rows import refused
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.result_bundles import (
    upload_messages,
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


def _header(**changes: str | int) -> UploadBlobRequest:
    header = UploadHeader(parent=PARENT, digest=DIGEST, size_bytes=len(CONTENT), encoding=BLOB_ENCODING_GZIP)
    for name, value in changes.items():
        setattr(header, name, value)
    return UploadBlobRequest(header=header)


def _chunk(data: bytes, offset: int = 0) -> UploadBlobRequest:
    return UploadBlobRequest(chunk=UploadChunk(offset_bytes=offset, data=data))


def _gzip(stream: bytes, **changes: str | int) -> list[UploadBlobRequest]:
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
