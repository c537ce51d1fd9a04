"""Reads blobs out, and never serves the last byte of one whose bytes have gone bad."""

import hashlib
from collections.abc import AsyncGenerator
from io import BufferedIOBase

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore, check_content
from headway.contract.digests import digest_of_hash
from headway.contract.errors import OutOfRange, Violation
from headway.contract.limits import CHUNK_BYTES

_PIECES_A_READ = 4


class CheckedReader:
    """A blob from its beginning, hashed on the way: the last piece comes only when the whole was right. Blocking."""

    def __init__(self, file: BufferedIOBase, digest: str) -> None:
        """Args: file: at its beginning. digest: that its content must have."""
        self._file = file
        self._digest = digest
        self._hash = hashlib.sha256()
        self._held = b""

    def read_some(self) -> list[bytes]:
        """The next pieces; empty at the end.

        Raises:
            DigestMismatch: the content is not that of the digest; its end was never returned.
        """
        pieces = [self._held] if self._held else []
        self._held = b""
        while len(pieces) <= _PIECES_A_READ:
            piece = self._file.read(CHUNK_BYTES)
            if not piece:
                check_content(self._digest, digest_of_hash(self._hash))
                return pieces
            self._hash.update(piece)
            pieces.append(piece)
        self._held = pieces.pop()
        return pieces


async def read_checked(
    store: BlobStore, threads: DiskThreads, project: str, digest: str
) -> AsyncGenerator[bytes, None]:
    """A whole blob in pieces of at most 256 KiB.

    Raises:
        NotFound: there is none.
        DigestMismatch: its bytes have gone bad: it is set aside, so that sending it again mends it.
    """
    file = await threads.run(store.open, project, digest)
    with file:
        reader = CheckedReader(file, digest)
        while pieces := await threads.run(store.guard, project, digest, reader.read_some):
            for piece in pieces:
                yield piece


async def read_from(
    store: BlobStore, threads: DiskThreads, project: str, digest: str, offset_bytes: int
) -> AsyncGenerator[bytes, None]:
    """The rest of a blob from an offset; its digest cannot be checked, so the caller must check the whole.

    Raises:
        NotFound: there is none.
        OutOfRange: the offset is outside of it.
    """
    file = await threads.run(store.open, project, digest)
    with file:
        size = file.seek(0, 2)
        if not 0 <= offset_bytes <= size:
            violation = Violation("offset_bytes", OutOfRange.reason, "outside of the blob", f"0 to {size}")
            raise OutOfRange("the offset is outside of the blob", violations=[violation])
        file.seek(offset_bytes)
        while piece := await threads.run(file.read, CHUNK_BYTES):
            yield piece
