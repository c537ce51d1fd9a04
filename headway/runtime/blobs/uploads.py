"""One try at bringing a file into the blob store: compressed on the way, going on where an earlier try broke off."""

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from headway.contract.limits import CHUNK_BYTES
from headway.runtime.blobs.blob_file import BlobFile, OnBytes, tell_nobody
from headway.runtime.blobs.gzip_stream import GzipReader, gzip_chunks
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    FindMissingBlobsRequest,
    QueryUploadRequest,
    UploadBlobRequest,
    UploadChunk,
    UploadHeader,
)

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub

_CALL_SECONDS = 30.0


async def find_missing(blobs: "BlobServiceAsyncStub", parent: str, digests: Sequence[str]) -> list[str]:
    """Those blobs that the store of `projects/{project}` lacks; raises RemoteError."""
    request = FindMissingBlobsRequest(parent=parent, digests=digests)
    found = await answer(blobs.FindMissingBlobs(request, timeout=_CALL_SECONDS))
    return list(found.missing_digests)


async def upload(blobs: "BlobServiceAsyncStub", parent: str, file: BlobFile, on_bytes: OnBytes = tell_nobody) -> None:
    """Return when the store has a file. Bounded memory, whatever its size.

    Nothing is remembered between calls: the gateway is asked what it kept of a broken one, and the rest is sent.

    Args:
        blobs: the gateway.
        parent: `projects/{project}` whose blob it becomes.
        file: what to send, as it was when it was hashed.
        on_bytes: told how much of the content has been sent, with what an earlier call had brought.

    Raises:
        RemoteError: refused, or broken off; what has arrived is kept for a while.
        OSError: the file cannot be read.
    """
    offset = 0
    # What fits into one chunk is sent sooner than asked about.
    if file.size_bytes > CHUNK_BYTES:
        query = QueryUploadRequest(parent=parent, digest=file.digest)
        kept = await answer(blobs.QueryUpload(query, timeout=_CALL_SECONDS))
        if kept.complete:
            return
        offset = kept.committed_size_bytes
    header = UploadHeader(
        parent=parent,
        digest=file.digest,
        size_bytes=file.size_bytes,
        encoding=BLOB_ENCODING_GZIP,
        offset_bytes=offset,
    )
    # Opened here and not in a thread: a cancellation would lose the open file.
    with closing(GzipReader(file.path, offset)) as reader:
        content = _Content(header, gzip_chunks(reader, on_bytes))
        try:
            await answer(blobs.UploadBlob(content.messages()))
        except RemoteError:
            if content.error is not None:
                raise content.error from None
            raise


class _Content:
    """One upload's messages. grpc would turn an error in here into a cancellation, so it is kept for the caller."""

    def __init__(self, header: UploadHeader, chunks: AsyncIterator[bytes]) -> None:
        self.error: OSError | None = None
        self._header = header
        self._chunks = chunks

    async def messages(self) -> AsyncIterator[UploadBlobRequest]:
        yield UploadBlobRequest(header=self._header)
        sent = 0
        try:
            async for data in self._chunks:
                yield UploadBlobRequest(chunk=UploadChunk(offset_bytes=sent, data=data))
                sent += len(data)
        except OSError as error:
            # The stream ends too early, the gateway refuses it, and the caller finds the reason here.
            self.error = error
