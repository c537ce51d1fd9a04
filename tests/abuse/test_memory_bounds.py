"""P10: no payload raises the gateway's memory by more than 64 MiB, nor keeps it busy for long."""

import base64
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
import numpy as np
import pytest
from isal import isal_zlib
from safetensors.numpy import save

from headway.contract.architectures import Architecture
from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.builders import a_claimed_record
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.result_bundles import bundle_of, commit_request, result_files, upload_messages, with_manifest

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

MIB = 1024 * 1024
BOUND_BYTES = 64 * MIB


@dataclass
class Served:
    """A gateway in a process of its own."""

    process: "subprocess.Popen[str]"
    blob: "BlobServiceAsyncStub"
    result: "ResultServiceAsyncStub"

    def keep(self, record: JobRecord) -> JobRecord:
        """Put a job into its bucket."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(base64.b64encode(record.SerializeToString()).decode(), file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "kept\n"
        return record

    @contextmanager
    def bounded(self, bound_bytes: int = BOUND_BYTES) -> Iterator[None]:
        """The block raises the process's memory by less than the bound, at its highest moment."""
        folder = Path(f"/proc/{self.process.pid}")
        # Makes the kernel forget the highest size that it has seen.
        (folder / "clear_refs").write_text("5")
        before = self._highest()
        yield
        grown = self._highest() - before
        assert grown < bound_bytes, f"memory grew by {grown / MIB:.0f} MiB"

    def _highest(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    async def upload(self, content: bytes) -> None:
        """Send one blob."""
        await answer(self.blob.UploadBlob(upload_messages(content)))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    command = [sys.executable, "-m", "tests.bytes_server", str(tmp_path)]
    with subprocess.Popen(  # noqa: ASYNC220 - the test has nothing else to do meanwhile
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        async with grpc.aio.insecure_channel(address) as channel:
            served = Served(process, BlobServiceStub(channel), ResultServiceStub(channel))
            # What the first call loads is no matter of the payload.
            record = served.keep(a_claimed_record())
            await _commit(served, record, result_files())
            yield served
        process.kill()


async def _commit(served: Served, record: JobRecord, files: dict[str, bytes]) -> None:
    complete = with_manifest(files, record)
    for content in complete.values():
        await served.upload(content)
    await answer(served.result.CommitResult(commit_request(record, bundle_of(complete))))


def _bomb(num_bytes: int) -> bytes:
    compress = isal_zlib.compressobj(3, wbits=31)
    block = bytes(16 * MIB)
    return b"".join([*(compress.compress(block) for _ in range(num_bytes // len(block))), compress.flush()])


async def test_d26_a_bomb_is_cut_at_its_declared_size(served: Served) -> None:
    """1 GiB that claims to be 1 MiB."""
    messages = upload_messages(b"other", stream=_bomb(1024 * MIB), size_bytes=MIB)
    started = time.perf_counter()
    with served.bounded(), pytest.raises(RemoteError) as caught:
        await answer(served.blob.UploadBlob(messages))
    assert time.perf_counter() - started < 1
    # grpc.aio tells a client that was still writing of an error of its own.
    assert caught.value.reason == "SIZE_MISMATCH" or "from Core" in caught.value.message


async def test_d26_a_bomb_of_its_true_size_takes_no_memory(served: Served) -> None:
    """256 MiB in 1 MB; it is refused by its digest only at its end."""
    stream = _bomb(256 * MIB)
    messages = upload_messages(b"other", stream=stream, size_bytes=256 * MIB)
    with served.bounded(), pytest.raises(RemoteError) as caught:
        await answer(served.blob.UploadBlob(messages))
    assert caught.value.reason == "DIGEST_MISMATCH"


async def test_a_state_dict_of_100_mb_is_taken_in_bounded_memory(served: Served) -> None:
    wide = Architecture(kind="tabular_train", mode="linear_glm_baseline", input_dim=25_000, output_dim=1000,
                        task="classification", classes=tuple(str(at) for at in range(1000)))  # fmt: skip
    random = np.random.default_rng(1)
    weights = save(
        {
            "output.weight": random.standard_normal((1000, 25_000), dtype="float32"),
            "output.bias": np.zeros(1000, dtype="float32"),
        }
    )
    record = served.keep(a_claimed_record())
    with served.bounded():
        await _commit(served, record, result_files(wide, weights=weights))


def _header(entries: dict[str, object]) -> bytes:
    text = json.dumps(entries, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text


def _empty_tensors(num_tensors: int) -> bytes:
    return _header({f"t{at}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for at in range(num_tensors)})


def _deep_json(num_bytes: int) -> bytes:
    return b'{"a":' + b"[" * (num_bytes // 2) + b"]" * (num_bytes // 2) + b"}"


FILES = {
    "D46 500,000 tensors": {"model.safetensors": _empty_tensors(500_000)},
    "most tensors that are parsed": {"model.safetensors": _empty_tensors(33_000)},
    "empty lists": {"preprocess.json": json.dumps({"x": [[]] * 2_000_000}, separators=(",", ":")).encode()},
    "most lists that are parsed": {
        "preprocess.json": json.dumps({"x": [[]] * 199_000}, separators=(",", ":")).encode()
    },
    "most objects that are parsed": {"preprocess.json": b'{"x":[' + b'{"a":1},' * 199_000 + b"1]}"},
    "most numbers that are parsed": {"preprocess.json": b'{"x":[' + b"1," * 399_000 + b"1]}"},
    "deep JSON": {"preprocess.json": _deep_json(8_000_000)},
    "most classes": {"model.json": json.dumps({"classes": [str(at) for at in range(500_000)]}).encode()},
    "longest list in the manifest": {"metrics.json": os.urandom(15 * MIB)},
}


@pytest.mark.parametrize("row", FILES)
async def test_a_file_that_swells_when_it_is_read_takes_no_memory(served: Served, row: str) -> None:
    record = served.keep(a_claimed_record())
    started = time.perf_counter()
    with served.bounded():
        try:
            await _commit(served, record, {**result_files(), **FILES[row]})
        except RemoteError as error:
            assert error.code is Code.INVALID_ARGUMENT  # noqa: PT017 - some rows are refused, and some are only large
    assert time.perf_counter() - started < 5
