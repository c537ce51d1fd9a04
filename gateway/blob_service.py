"""BlobService on the wire."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.downloads import read_checked, read_from
from gateway.blobs.store import BlobStore
from gateway.blobs.uploads import Uploads
from gateway.rights import require_project
from headway.contract.digests import check_digest
from headway.contract.errors import InvalidArgument, Violation
from headway.contract.ids import ProjectName
from headway.runtime.principal import current_principal
from headway.v1 import blobs_service_pb2 as messages
from headway.v1.blobs_service_pb2_grpc import BlobServiceServicer

DIGESTS_MAX = 1000


class BlobService(BlobServiceServicer):
    """Bytes by digest."""

    def __init__(self, store: BlobStore, uploads: Uploads, threads: DiskThreads) -> None:
        self._store = store
        self._uploads = uploads
        self._threads = threads

    async def FindMissingBlobs(  # noqa: N802 - gRPC's name
        self,
        request: messages.FindMissingBlobsRequest,
        _context: object,
    ) -> messages.FindMissingBlobsResponse:
        """Which of some blobs must be sent."""
        project = _project(request.parent)
        if not 1 <= len(request.digests) <= DIGESTS_MAX:
            message = f"{len(request.digests)} digests were given"
            raise InvalidArgument(
                message, violations=[Violation("digests", "NUM_DIGESTS", message, f"1 to {DIGESTS_MAX}")]
            )
        digests = [check_digest(f"digests[{index}]", digest) for index, digest in enumerate(request.digests)]
        missing = await self._threads.run(self._store.find_missing, project, digests)
        return messages.FindMissingBlobsResponse(missing_digests=missing)

    async def UploadBlob(  # noqa: N802
        self,
        request_iterator: AsyncIterator[messages.UploadBlobRequest],
        _context: object,
    ) -> messages.UploadBlobResponse:
        """Take one blob in."""
        received = await self._uploads.receive(request_iterator)
        return messages.UploadBlobResponse(
            digest=received.info.digest, size_bytes=received.info.size_bytes, existed=received.existed
        )

    async def QueryUpload(  # noqa: N802
        self,
        request: messages.QueryUploadRequest,
        _context: object,
    ) -> messages.QueryUploadResponse:
        """How much of an unfinished upload is kept."""
        project, digest = _project(request.parent), check_digest("digest", request.digest)
        info = await self._threads.run(self._store.find, project, digest)
        if info is not None:
            return messages.QueryUploadResponse(committed_size_bytes=info.size_bytes, complete=True)
        committed = await self._uploads.committed_size(project, digest)
        return messages.QueryUploadResponse(committed_size_bytes=committed, complete=False)

    async def DownloadBlob(  # noqa: N802
        self,
        request: messages.DownloadBlobRequest,
        _context: object,
    ) -> AsyncGenerator[messages.DownloadBlobResponse, None]:
        """Read a blob."""
        project, digest = _project(request.parent), check_digest("digest", request.digest)
        async with aclosing(self._pieces(project, digest, request.offset_bytes)) as pieces:
            async for piece in pieces:
                yield messages.DownloadBlobResponse(data=piece)

    def _pieces(self, project: str, digest: str, offset_bytes: int) -> AsyncGenerator[bytes, None]:
        if offset_bytes == 0:
            return read_checked(self._store, self._threads, project, digest)
        return read_from(self._store, self._threads, project, digest, offset_bytes)


def _project(parent: str) -> str:
    project = ProjectName.parse(parent).project
    require_project(current_principal(), project)
    return project
