"""A bundle's files on their way to the gateway: only what it lacks, compressed, resumed where a call broke off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from headway.contract.errors import Code
from headway.contract.limits import CHUNK_BYTES
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.blobs_service_pb2 import (
    BLOB_ENCODING_GZIP,
    FindMissingBlobsRequest,
    QueryUploadRequest,
    UploadBlobRequest,
    UploadChunk,
    UploadHeader,
)
from headway.v1.jobs_pb2 import Artifact, Bundle
from trainer_host.gzip_stream import gzip_chunks
from trainer_host.sole_error import sole_error

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub

_log = get_logger(__name__)
_NUM_AT_ONCE = 3
"""Small files are bound by round trips and by the gateway's fsyncs, which overlap; a large one fills the link alone."""
_CALL_SECONDS = 30.0


class Uploads:
    """Sends bundles. Holds no state between calls: what the gateway keeps of a broken upload, it is asked."""

    def __init__(self, blobs: "BlobServiceAsyncStub") -> None:
        self._blobs = blobs

    async def send_bundle(self, parent: str, bundle: Bundle, folder: Path) -> None:
        """Return when the gateway has every file of the bundle.

        Args:
            parent: `projects/{project}` whose blobs they become.
            bundle: the files, by path and digest.
            folder: where they lie.

        Raises:
            RemoteError: the first one that an upload met.
            OSError: a file cannot be read.
        """
        by_digest = {artifact.digest: artifact for artifact in bundle.artifacts}
        request = FindMissingBlobsRequest(parent=parent, digests=list(by_digest))
        found = await answer(self._blobs.FindMissingBlobs(request, timeout=_CALL_SECONDS))
        gate = asyncio.Semaphore(_NUM_AT_ONCE)
        with sole_error():
            async with asyncio.TaskGroup() as group:
                for digest in found.missing_digests:
                    artifact = by_digest[digest]
                    group.create_task(self._send_when_free(gate, parent, artifact, folder / artifact.path))

    async def _send_when_free(self, gate: asyncio.Semaphore, parent: str, artifact: Artifact, path: Path) -> None:
        async with gate:
            await self.send_file(parent, artifact, path)

    async def send_file(self, parent: str, artifact: Artifact, path: Path) -> None:
        """Return when the gateway has one file; goes on behind what it kept of an earlier call."""
        offset = 0
        if artifact.size_bytes > CHUNK_BYTES:
            query = QueryUploadRequest(parent=parent, digest=artifact.digest)
            kept = await answer(self._blobs.QueryUpload(query, timeout=_CALL_SECONDS))
            if kept.complete:
                return
            offset = kept.committed_size_bytes
        header = UploadHeader(
            parent=parent,
            digest=artifact.digest,
            size_bytes=artifact.size_bytes,
            encoding=BLOB_ENCODING_GZIP,
            offset_bytes=offset,
        )
        content = _Content(header, path)
        try:
            await answer(self._blobs.UploadBlob(content.messages()))
        except RemoteError:
            if content.error is not None:
                raise content.error from None
            raise


class _Content:
    """One upload's messages. grpc would turn an error in here into a cancellation, so it is kept for the caller."""

    def __init__(self, header: UploadHeader, path: Path) -> None:
        self.error: OSError | None = None
        self._header = header
        self._path = path

    async def messages(self) -> AsyncIterator[UploadBlobRequest]:
        yield UploadBlobRequest(header=self._header)
        offset = 0
        try:
            async with aclosing(gzip_chunks(self._path, self._header.offset_bytes)) as chunks:
                async for data in chunks:
                    yield UploadBlobRequest(chunk=UploadChunk(offset_bytes=offset, data=data))
                    offset += len(data)
        except OSError as error:
            # The stream ends too early, the gateway refuses it, and the caller finds the reason here.
            self.error = error


def blames_the_bytes(error: RemoteError) -> bool:
    """Whether the gateway says that content is not what its digest says: a fault of the link, or of this disk."""
    return error.code is Code.DATA_LOSS or error.reason in {"GZIP_INVALID", "SIZE_MISMATCH", "DIGEST_MISMATCH"}
