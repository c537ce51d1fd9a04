"""F39, F40, P8, P10: results that come in pieces, or spoiled on their way."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from gateway.blobs.settings import BlobSettings
from headway.contract.digests import sha256_of
from headway.runtime.channel import open_channel
from headway.runtime.nats_bus import NatsBus
from headway.testing.builders import a_claimed_record
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_IDENTITY, QueryUploadRequest, UploadBlobRequest
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import (
    JOB_STATE_SUCCEEDED,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import ReportTelemetryRequest
from tests.byte_rows import refused, still_accepts
from tests.bytes_gateway import PARENT, BytesGateway, bytes_gateway
from tests.fault.callbacks import (
    ACCEPTED,
    DUPLICATE,
    a_bundle,
    a_saving_job,
    committed,
    litter,
    num_registrations,
    outcome,
    stored,
    versions,
)
from tests.fault.link import linked
from tests.result_bundles import (
    commit_request,
    keep,
    result_files,
    upload_all,
    upload_messages,
    with_manifest,
)

_ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 30.0


@pytest.fixture
async def gateway(tmp_path: Path, nats_bus: NatsBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=nats_bus, settings=BlobSettings(idle_seconds=1.0)) as gateway:
        yield gateway


async def test_uploads_that_break_off_go_on_where_they_were_and_leave_nothing(gateway: BytesGateway) -> None:
    """F39: 24 clients on torn connections. No part, no slot and no handler stays."""
    contents = [random.Random(number).randbytes(600_000) for number in range(24)]
    num_handlers = _num_handlers()
    async with linked(gateway.address) as link, open_channel(link.address) as channel:
        stub = BlobServiceStub(channel)
        calls = [asyncio.ensure_future(outcome(stub.UploadBlob(_half_of(content)))) for content in contents]
        for content in contents:
            await eventually(partial(_num_kept, gateway, content), timeout_seconds=LIMIT_SECONDS)
        link.reset()
        assert "" not in await asyncio.gather(*calls)
        await eventually(lambda: gateway.uploads.num_taken == 0, timeout_seconds=LIMIT_SECONDS)
        assert all(name.endswith(".kept") for name in litter(gateway.home))
        kept = [await _num_kept(gateway, content) for content in contents]
        assert min(kept) > 0, "what came is kept"
        rests = [
            upload_messages(content, encoding=BLOB_ENCODING_IDENTITY, offset_bytes=size)
            for content, size in zip(contents, kept, strict=True)
        ]
        await asyncio.gather(*(gateway.blob.UploadBlob(rest) for rest in rests))
    assert all(gateway.blobs.read("demo", sha256_of(one), len(one)) == one for one in contents)
    assert litter(gateway.home) == []
    await eventually(lambda: _num_handlers() <= num_handlers, timeout_seconds=LIMIT_SECONDS)


def _num_handlers() -> int:
    """Calls that the server still works on: grpc runs each in a task whose coroutine is compiled."""
    return sum(type(task.get_coro()).__module__.startswith("_cython") for task in asyncio.all_tasks())


async def _half_of(content: bytes) -> AsyncIterator[UploadBlobRequest]:
    """The beginning of an upload, and then nothing."""
    for message in list(upload_messages(content, encoding=BLOB_ENCODING_IDENTITY, chunk_bytes=100_000))[:4]:
        yield message
    await asyncio.Event().wait()


async def _num_kept(gateway: BytesGateway, content: bytes) -> int:
    """Bytes of an unfinished upload that the next call can build on."""
    found = await gateway.blob.QueryUpload(QueryUploadRequest(parent=PARENT, digest=sha256_of(content)))
    return int(found.committed_size_bytes)


async def test_a_commit_whose_caller_hangs_up_is_carried_out_or_not_at_all(gateway: BytesGateway) -> None:
    """F39, P8: twenty hosts that give up within 20 ms, and ask again."""
    draw = random.Random(3)
    for _ in range(20):
        record = await a_saving_job(gateway)
        bundle = await a_bundle(gateway, record, draw.random())
        call = gateway.result.CommitResult(commit_request(record, bundle))
        await asyncio.sleep(draw.uniform(0, 0.02))
        call.cancel()
        is_saved = (await stored(gateway, record)).state == JOB_STATE_SUCCEEDED
        again = await committed(gateway, record, bundle)
        assert again in ({DUPLICATE} if is_saved else {ACCEPTED, DUPLICATE})
        assert (await stored(gateway, record)).result.bundle.digest == bundle.digest
    assert len(await versions(gateway)) == 20
    assert await num_registrations(gateway.bus) == 20


async def test_callers_that_trickle_or_say_nothing_are_ended_and_hold_up_nobody(gateway: BytesGateway) -> None:
    """F39, D52: 60 uploads and 60 streams of telemetry at a byte a second; a good upload is served meanwhile."""
    record = await a_saving_job(gateway)
    content = random.Random(5).randbytes(50_000)
    num_handlers = _num_handlers()
    uploads = [gateway.blob.UploadBlob(_trickle(content)) for _ in range(60)]
    streams = [gateway.result.ReportTelemetry(_silence(record)) for _ in range(60)]
    await eventually(lambda: gateway.uploads.num_taken == 60, timeout_seconds=LIMIT_SECONDS)
    assert (await gateway.blob.UploadBlob(upload_messages(b"good"))).size_bytes == 4
    assert set(await asyncio.gather(*map(outcome, uploads))) <= {"DEADLINE_EXCEEDED", "STREAM_PROTOCOL"}
    assert gateway.uploads.num_taken == 0
    for stream in streams:
        stream.cancel()
    await eventually(lambda: _num_handlers() <= num_handlers, timeout_seconds=LIMIT_SECONDS)


async def _trickle(content: bytes) -> AsyncIterator[UploadBlobRequest]:
    for message in upload_messages(content, encoding=BLOB_ENCODING_IDENTITY, chunk_bytes=1):
        yield message
        await asyncio.sleep(1)


async def _silence(record: JobRecord) -> AsyncIterator[ReportTelemetryRequest]:
    yield ReportTelemetryRequest(job=record.job.name, attempt=record.job.attempt, host=record.job.host)
    await asyncio.Event().wait()


# F40: spoiled. What is hostile in a payload is the abuse corpus' matter.

COVERED_BY = {
    "tests/abuse/test_callback_rows.py": "D1-D8, D53, D54",
    "tests/abuse/test_upload_rows.py": "D9-D29, D51, D52",
    "tests/abuse/test_content_rows.py": "D30-D32, D34-D41, D43-D45, D47, D48, D50",
    "tests/abuse/test_memory_bounds.py": "D26, D46",
    "tests/fault/test_callback_pieces.py": "D33, D42",
}
"""Each of the D-rows and where it is held. There is no D49; D36 and D37 are zip archives, which no bundle may hold."""


def test_every_row_of_the_corpus_is_held_somewhere() -> None:
    """F40: and each file that is named does speak of its rows."""
    held: set[int] = set()
    for path, rows in COVERED_BY.items():
        said_there = _rows_in((_ROOT / path).read_text(encoding="utf-8"))
        assert _rows_in(rows) <= said_there, f"{path} should hold {sorted(_rows_in(rows) - said_there)}"
        held |= _rows_in(rows)
    assert held == set(range(1, 55)) - {49}


def _rows_in(text: str) -> set[int]:
    spans = re.findall(r"\bD(\d{1,2})(?:-D(\d{1,2}))?", text)
    named = {number for first, last in spans for number in range(int(first), int(last or first) + 1)}
    return named | {int(number) for number in re.findall(r"_d(\d{1,2})_", text)}


_THROUGH_THE_MEMO = b"\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x85R."
SPOILED = {
    "D33 a global that is reached through the memo": b"\x80\x04" + _THROUGH_THE_MEMO,
    "D33 the same without its protocol": _THROUGH_THE_MEMO,
    "D42 a key that is no string": b'\x10\x00\x00\x00\x00\x00\x00\x00{1:{"dtype":"F32"' + bytes(8),
    "D42 a key that is a list": b"\x06\x00\x00\x00\x00\x00\x00\x00{[1]:2" + bytes(8),
}


@pytest.mark.parametrize("row", SPOILED)
async def test_what_the_corpus_lacked_is_refused_and_spoils_nothing(gateway: BytesGateway, row: str) -> None:
    """F40, P10: the same job's good result is taken right after."""
    record = await keep(gateway, a_claimed_record())
    bundle = await upload_all(gateway, with_manifest(result_files(weights=SPOILED[row]), record))
    error = await refused(gateway.result.CommitResult(commit_request(record, bundle)))
    assert error.reason in {"FORBIDDEN_CONTENT", "SAFETENSORS_INVALID"}
    await still_accepts(gateway, record)
