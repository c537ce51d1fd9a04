"""A model version as one tar stream, every file checked while it is read."""

import tarfile
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.downloads import read_checked
from gateway.blobs.store import BlobStore
from headway.contract.errors import DigestMismatch, NotFound
from headway.v1.models_pb2 import ModelVersion

_BLOCK_BYTES = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK_BYTES)


async def tar_of(
    version: ModelVersion, project: str, store: BlobStore, threads: DiskThreads
) -> AsyncGenerator[bytes, None]:
    """The tar file in pieces of at most 256 KiB. The same version always gives the same bytes.

    Raises:
        DigestMismatch: a file has gone bad or is gone; its last piece and all that follows was never yielded.
    """
    for artifact in version.bundle.artifacts:
        entry = tarfile.TarInfo(artifact.path)
        entry.size = artifact.size_bytes
        entry.mtime = version.create_time.seconds
        entry.mode = 0o644
        yield entry.tobuf(tarfile.USTAR_FORMAT if len(artifact.path) <= tarfile.LENGTH_NAME else tarfile.PAX_FORMAT)
        try:
            async with aclosing(read_checked(store, threads, project, artifact.digest)) as pieces:
                async for piece in pieces:
                    yield piece
        except NotFound:
            raise lost(artifact.path, artifact.digest) from None
        yield b"\0" * (-artifact.size_bytes % _BLOCK_BYTES)
    yield _END


def lost(path: str, digest: str) -> DigestMismatch:
    """The error for a file of a registered version that the store no longer holds."""
    return DigestMismatch(
        f"the file {path} of the model is lost on the gateway's disk; restore it from a backup",
        metadata={"digest": digest},
    )
