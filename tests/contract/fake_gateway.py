"""A gateway for one trainer host, over real gRPC: it keeps blobs and results in memory, and fails as the test says."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from headway.contract.digests import sha256_of
from headway.contract.errors import (
    DigestMismatch,
    HeadwayError,
    InvalidGzip,
    InvalidManifest,
    NotFound,
    StreamProtocol,
)
from headway.contract.limits import CHUNK_BYTES
from headway.v1 import blobs_service_pb2, results_service_pb2
from headway.v1.blobs_service_pb2 import (
    DownloadBlobRequest,
    DownloadBlobResponse,
    FindMissingBlobsRequest,
    FindMissingBlobsResponse,
    QueryUploadRequest,
    QueryUploadResponse,
    UploadBlobRequest,
    UploadBlobResponse,
    UploadHeader,
)
from headway.v1.blobs_service_pb2_grpc import BlobServiceServicer, add_BlobServiceServicer_to_server
from headway.v1.jobs_pb2 import Checkpoint, PinnedInput, Progress
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.results_service_pb2 import (
    CommitCheckpointRequest,
    CommitCheckpointResponse,
    CommitResultRequest,
    CommitResultResponse,
    ReportTelemetryRequest,
    ReportTelemetryResponse,
)
from headway.v1.results_service_pb2_grpc import ResultServiceServicer, add_ResultServiceServicer_to_server
from tests.contract.fake_scheduler import open_server
from trainer_host.attempt_key import AttemptKey


@dataclass
class Faults:
    """What goes wrong: errors by method, each raised once."""

    errors: dict[str, list[HeadwayError]] = field(default_factory=dict)
    cut_upload_after_bytes: int | None = None
    flip_upload_bit: bool = False

    def raise_next(self, method: str) -> None:
        waiting = self.errors.get(method)
        if waiting:
            error = waiting.pop(0)
            if not waiting:
                del self.errors[method]
            raise error


class Gate:
    """Open unless a test closes it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.close = self._open.clear
        self.open = self._open.set
        self.wait = self._open.wait


class FakeGateway(BlobServiceServicer, ResultServiceServicer):
    """Both services that a host calls."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.parts: dict[str, bytearray] = {}
        self.commits: list[CommitResultRequest] = []
        self.progress: list[Progress] = []
        self.lines: dict[AttemptKey, dict[int, LogLine]] = {}
        self.calls: list[str] = []
        self.upload_offsets: list[int] = []
        self.download_offsets: list[int] = []
        self.faults = Faults()
        self.downloads = Gate()
        self.uploads = Gate()
        self.committing = Gate()
        self.committing_checkpoints = Gate()
        self.checkpoints: list[CommitCheckpointRequest] = []

    def add(self, content: bytes, *, role: str = "table") -> PinnedInput:
        """A blob as an order names it."""
        digest = sha256_of(content)
        self.blobs[digest] = content
        return PinnedInput(role=role, digest=digest, size_bytes=len(content), format="csv")

    async def FindMissingBlobs(  # noqa: N802 - gRPC names it
        self,
        request: FindMissingBlobsRequest,
        context: grpc.aio.ServicerContext[FindMissingBlobsRequest, FindMissingBlobsResponse],
    ) -> FindMissingBlobsResponse:
        self.calls.append("FindMissingBlobs")
        self.faults.raise_next("FindMissingBlobs")
        await self.uploads.wait()
        return FindMissingBlobsResponse(missing_digests=[one for one in request.digests if one not in self.blobs])

    async def QueryUpload(  # noqa: N802 - gRPC names it
        self,
        request: QueryUploadRequest,
        context: grpc.aio.ServicerContext[QueryUploadRequest, QueryUploadResponse],
    ) -> QueryUploadResponse:
        kept = len(self.parts.get(request.digest, b""))
        return QueryUploadResponse(committed_size_bytes=kept, complete=request.digest in self.blobs)

    async def UploadBlob(  # noqa: N802 - gRPC names it
        self,
        request_iterator: AsyncIterator[UploadBlobRequest],
        context: grpc.aio.ServicerContext[UploadBlobRequest, UploadBlobResponse],
    ) -> UploadBlobResponse:
        self.calls.append("UploadBlob")
        self.faults.raise_next("UploadBlob at once")
        header = (await anext(request_iterator)).header
        self.upload_offsets.append(header.offset_bytes)
        part = self.parts.setdefault(header.digest, bytearray())
        if header.offset_bytes != len(part):
            raise StreamProtocol("go on behind what is kept")
        await self._receive(request_iterator, part)
        del self.parts[header.digest]
        self.faults.raise_next("UploadBlob")
        return self._store(header, bytes(part))

    async def _receive(self, request_iterator: AsyncIterator[UploadBlobRequest], part: bytearray) -> None:
        gunzip = zlib.decompressobj(wbits=31)
        offset = 0
        async for message in request_iterator:
            if message.chunk.offset_bytes != offset or not 0 < len(message.chunk.data) <= CHUNK_BYTES:
                raise StreamProtocol("chunks have no gaps and are neither empty nor too large")
            offset += len(message.chunk.data)
            try:
                part += gunzip.decompress(message.chunk.data)
            except zlib.error:
                raise InvalidGzip("this is no gzip") from None
            limit = self.faults.cut_upload_after_bytes
            if limit is not None and len(part) >= limit:
                self.faults.cut_upload_after_bytes = None
                raise DigestMismatch("cut off by the test")
        if not gunzip.eof:
            raise InvalidGzip("the gzip member is not whole")

    def _store(self, header: UploadHeader, content: bytes) -> UploadBlobResponse:
        if self.faults.flip_upload_bit:
            self.faults.flip_upload_bit = False
            raise DigestMismatch("a bit was flipped by the test")
        if sha256_of(content) != header.digest or len(content) != header.size_bytes:
            raise DigestMismatch("this is not the content that was announced")
        self.blobs[header.digest] = content
        return UploadBlobResponse(digest=header.digest, size_bytes=len(content))

    async def DownloadBlob(  # noqa: N802 - gRPC names it
        self,
        request: DownloadBlobRequest,
        context: grpc.aio.ServicerContext[DownloadBlobRequest, DownloadBlobResponse],
    ) -> AsyncGenerator[DownloadBlobResponse, None]:
        self.calls.append("DownloadBlob")
        self.faults.raise_next("DownloadBlob")
        await self.downloads.wait()
        self.download_offsets.append(request.offset_bytes)
        content = self.blobs.get(request.digest)
        if content is None:
            raise NotFound("no such blob")
        for start in range(request.offset_bytes, len(content), CHUNK_BYTES):
            yield DownloadBlobResponse(data=content[start : start + CHUNK_BYTES])

    async def CommitResult(  # noqa: N802 - gRPC names it
        self,
        request: CommitResultRequest,
        context: grpc.aio.ServicerContext[CommitResultRequest, CommitResultResponse],
    ) -> CommitResultResponse:
        self.calls.append("CommitResult")
        self.faults.raise_next("CommitResult")
        await self.committing.wait()
        if any(one.digest not in self.blobs for one in request.bundle.artifacts):
            raise InvalidManifest("a file was not uploaded")
        if any(one.bundle.digest == request.bundle.digest for one in self.commits):
            return CommitResultResponse(disposition=CommitResultResponse.DISPOSITION_DUPLICATE)
        self.commits.append(request)
        # It was done, and nobody hears of it.
        self.faults.raise_next("CommitResult unseen")
        return CommitResultResponse(disposition=CommitResultResponse.DISPOSITION_ACCEPTED)

    async def CommitCheckpoint(  # noqa: N802 - gRPC names it
        self,
        request: CommitCheckpointRequest,
        context: grpc.aio.ServicerContext[CommitCheckpointRequest, CommitCheckpointResponse],
    ) -> CommitCheckpointResponse:
        self.calls.append("CommitCheckpoint")
        self.faults.raise_next("CommitCheckpoint")
        await self.committing_checkpoints.wait()
        self.checkpoints.append(request)
        return CommitCheckpointResponse(
            checkpoint=Checkpoint(attempt=request.attempt, step=request.step, bundle=request.bundle)
        )

    async def ReportTelemetry(  # noqa: N802 - gRPC names it
        self,
        request_iterator: AsyncIterator[ReportTelemetryRequest],
        context: grpc.aio.ServicerContext[ReportTelemetryRequest, ReportTelemetryResponse],
    ) -> ReportTelemetryResponse:
        self.calls.append("ReportTelemetry")
        self.faults.raise_next("ReportTelemetry")
        num_lines = 0
        async for message in request_iterator:
            if message.HasField("progress"):
                self.progress.append(message.progress)
            for line in message.lines:
                self.lines.setdefault(AttemptKey.of(message), {})[line.number] = line
                num_lines += 1
        return ReportTelemetryResponse(num_lines=num_lines)


@asynccontextmanager
async def serving_gateway(gateway: FakeGateway, port: int = 0) -> AsyncIterator[str]:
    server = open_server(port)
    blobs = blobs_service_pb2.DESCRIPTOR.services_by_name["BlobService"]
    results = results_service_pb2.DESCRIPTOR.services_by_name["ResultService"]
    server.add(add_BlobServiceServicer_to_server, gateway, blobs)
    server.add(add_ResultServiceServicer_to_server, gateway, results)
    async with server:
        yield server.address
