"""One try at bringing a blob onto this machine: going on behind what is there, its digest checked at the end."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from headway.contract.errors import DigestMismatch
from headway.runtime.blobs.blob_file import BlobFile, OnBytes, digest_of_file, tell_nobody
from headway.runtime.remote_error import responses
from headway.v1.blobs_service_pb2 import DownloadBlobRequest

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub


async def download(blobs: "BlobServiceAsyncStub", parent: str, file: BlobFile, on_bytes: OnBytes = tell_nobody) -> None:
    """Return when a file holds a blob. It is not fsynced.

    Args:
        blobs: the gateway.
        parent: `projects/{project}` whose blob it is.
        file: what is wanted and where; what the file holds already is taken for the blob's beginning.
        on_bytes: told how long the file is.

    Raises:
        RemoteError: refused, or broken off. What has arrived stays, also when the call is cancelled, and a further call
            goes on behind it.
        DigestMismatch: the bytes are not those of the digest. The file was deleted: a further call begins anew.
        OSError: the disk refused.
    """
    try:
        await _receive(blobs, parent, file, on_bytes)
        await asyncio.to_thread(_check, file)
    except DigestMismatch:
        file.path.unlink(missing_ok=True)
        raise


async def _receive(blobs: "BlobServiceAsyncStub", parent: str, file: BlobFile, on_bytes: OnBytes) -> None:
    with file.path.open("ab") as part:
        done = part.tell()
        if done >= file.size_bytes:
            return
        request = DownloadBlobRequest(parent=parent, digest=file.digest, offset_bytes=done)
        async with aclosing(responses(blobs.DownloadBlob(request))) as pieces:
            async for piece in pieces:
                done += len(piece.data)
                if done > file.size_bytes:
                    raise _mismatch(file)
                # A write of 256 KiB into the page cache takes less than the hop to a thread would.
                part.write(piece.data)
                on_bytes(done)


def _check(file: BlobFile) -> None:
    if file.path.stat().st_size != file.size_bytes or digest_of_file(file.path) != file.digest:
        raise _mismatch(file)


def _mismatch(file: BlobFile) -> DigestMismatch:
    return DigestMismatch(f"the blob {file.digest} arrived damaged", metadata={"digest": file.digest})
