"""Sends files to the blob store: only what it lacks, compressed on the way, resumed where a stream broke."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import grpc.aio
from isal import isal_zlib

from headway.client.retries import Patience, is_passing
from headway.contract.digests import digest_of_hash
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    FindMissingBlobsRequest,
    QueryUploadRequest,
    UploadBlobRequest,
    UploadChunk,
    UploadHeader,
)
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub

_READ_SECONDS = 10.0
_PIECE_BYTES = 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_GZIP_LEVEL = 1
_GZIP_WINDOW_BITS = 31

Progress = Callable[[str, int, int], None]
"""Told what is done (`hashing` or `uploading`), bytes done and bytes in all."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it was when it was hashed."""

    path: Path
    digest: str
    size_bytes: int


def ignore(_what: str, _done: int, _total: int) -> None:
    """A progress callback that tells nobody."""


async def hash_file(path: Path, on_progress: Progress = ignore) -> LocalFile:
    """Read a file once for its digest; raises OSError."""
    size = (await asyncio.to_thread(path.stat)).st_size
    hasher = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            await asyncio.to_thread(hasher.update, piece)
            done += len(piece)
            on_progress("hashing", done, size)
    return LocalFile(path, digest_of_hash(hasher), done)


class Uploads:
    """Uploads into one project."""

    def __init__(self, channel: grpc.aio.Channel, parent: str, clock: Clock, patience: Patience) -> None:
        self._stub = BlobServiceStub(channel)
        self._parent = parent
        self._clock = clock
        self._patience = patience

    async def send(self, file: LocalFile, on_progress: Progress = ignore) -> bool:
        """Make sure that the store has a file.

        Returns:
            Whether bytes were sent; False when the store had them.

        Raises:
            RemoteError: refused, or the gateway stayed away for longer than patience allows. What has arrived is kept
                for a while, and a new call goes on there.
        """
        request = FindMissingBlobsRequest(parent=self._parent, digests=[file.digest])
        missing = await answer(self._stub.FindMissingBlobs(request, timeout=_READ_SECONDS))
        if not missing.missing_digests:
            return False
        await self._send_with_patience(file, on_progress)
        return True

    async def _send_with_patience(self, file: LocalFile, on_progress: Progress) -> None:
        waits = self._patience.waits()
        while True:
            try:
                offset = await self._committed_size(file.digest)
                await answer(self._stub.UploadBlob(self._parts(file, offset, on_progress)))
            except RemoteError as error:
                wait = next(waits, None)
                if wait is None or not is_passing(error):
                    raise
                await self._clock.sleep(wait)
            else:
                return

    async def _committed_size(self, digest: str) -> int:
        request = QueryUploadRequest(parent=self._parent, digest=digest)
        found = await answer(self._stub.QueryUpload(request, timeout=_READ_SECONDS))
        return found.committed_size_bytes

    async def _parts(self, file: LocalFile, offset: int, on_progress: Progress) -> AsyncIterator[UploadBlobRequest]:
        yield UploadBlobRequest(
            header=UploadHeader(
                parent=self._parent,
                digest=file.digest,
                size_bytes=file.size_bytes,
                encoding=BLOB_ENCODING_GZIP,
                offset_bytes=offset,
            )
        )
        sent = 0

        def on_read(num_bytes: int) -> None:
            on_progress("uploading", offset + num_bytes, file.size_bytes)

        with file.path.open("rb") as source:
            source.seek(offset)
            async for data in _compressed(source, on_read):
                yield UploadBlobRequest(chunk=UploadChunk(offset_bytes=sent, data=data))
                sent += len(data)


async def _compressed(source: BinaryIO, on_read: Callable[[int], None]) -> AsyncIterator[bytes]:
    """One gzip member of the rest of a file, in chunks of at most 256 KiB; compression runs in a thread."""
    compressor = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_WINDOW_BITS)
    pending = bytearray()
    num_read = 0
    while piece := await asyncio.to_thread(source.read, _PIECE_BYTES):
        pending += await asyncio.to_thread(compressor.compress, piece)
        num_read += len(piece)
        while len(pending) >= _CHUNK_BYTES:
            yield bytes(pending[:_CHUNK_BYTES])
            del pending[:_CHUNK_BYTES]
        on_read(num_read)
    pending += compressor.flush()
    for start in range(0, len(pending), _CHUNK_BYTES):
        yield bytes(pending[start : start + _CHUNK_BYTES])
