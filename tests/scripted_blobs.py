"""A blob store in memory that breaks streams where a test says so: real gRPC, real gzip."""

from __future__ import annotations  # the contexts of grpc.aio are generic in their stubs only

import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from headway.v1.blobs_service_pb2 import (
    DownloadBlobRequest,
    DownloadBlobResponse,
    FindMissingBlobsRequest,
    FindMissingBlobsResponse,
    QueryUploadRequest,
    QueryUploadResponse,
    UploadBlobRequest,
    UploadBlobResponse,
)
from headway.v1.blobs_service_pb2_grpc import BlobServiceServicer, add_BlobServiceServicer_to_server


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class ScriptedBlobs(BlobServiceServicer):
    """Blobs by digest.

    Attributes:
        blobs: whole ones.
        parts: content kept of broken uploads.
        break_after: bytes (encoded on upload, plain on download) after which the next streams break; one a stream.
        offsets: at which uploads and downloads began.
        sizes: of the chunks that came.
        asked: digests that QueryUpload was called for.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def FindMissingBlobs(  # noqa: N802 - gRPC's name
        self, request: FindMissingBlobsRequest, context: object
    ) -> FindMissingBlobsResponse:
        return FindMissingBlobsResponse(missing_digests=[one for one in request.digests if one not in self.blobs])

    async def QueryUpload(self, request: QueryUploadRequest, context: object) -> QueryUploadResponse:  # noqa: N802 - gRPC's name
        self.asked.append(request.digest)
        kept = self.parts.get(request.digest, b"")
        return QueryUploadResponse(committed_size_bytes=len(kept), complete=request.digest in self.blobs)

    async def UploadBlob(  # noqa: N802 - gRPC's name
        self,
        request_iterator: AsyncIterator[UploadBlobRequest],
        context: grpc.aio.ServicerContext[UploadBlobRequest, UploadBlobResponse],
    ) -> UploadBlobResponse:
        header = (await anext(request_iterator)).header
        if header.digest in self.blobs:
            return UploadBlobResponse(digest=header.digest, size_bytes=header.size_bytes, existed=True)
        self.offsets.append(header.offset_bytes)
        limit = self.break_after.pop(0) if self.break_after else None
        decoder = zlib.decompressobj(31)
        content = self.parts.get(header.digest, b"")[: header.offset_bytes]
        received = 0
        async for message in request_iterator:
            assert message.chunk.offset_bytes == received
            received += len(message.chunk.data)
            self.sizes.append(len(message.chunk.data))
            content += decoder.decompress(message.chunk.data)
            self.parts[header.digest] = content
            if limit is not None and received >= limit:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "as the script says")
        assert decoder.eof
        assert digest(content) == header.digest
        self.blobs[header.digest] = content
        return UploadBlobResponse(digest=header.digest, size_bytes=len(content))

    async def DownloadBlob(  # noqa: N802 - gRPC's name
        self,
        request: DownloadBlobRequest,
        context: grpc.aio.ServicerContext[DownloadBlobRequest, DownloadBlobResponse],
    ) -> AsyncIterator[DownloadBlobResponse]:
        self.offsets.append(request.offset_bytes)
        rest = self.blobs[request.digest][request.offset_bytes :]
        limit = self.break_after.pop(0) if self.break_after else None
        for start in range(0, len(rest), 1000):
            if limit is not None and start >= limit:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "as the script says")
            yield DownloadBlobResponse(data=rest[start : start + 1000])


@asynccontextmanager
async def blob_channel(blobs: ScriptedBlobs) -> AsyncGenerator[grpc.aio.Channel]:
    """A channel to a server of these blobs."""
    server = grpc.aio.server()
    add_BlobServiceServicer_to_server(blobs, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)
