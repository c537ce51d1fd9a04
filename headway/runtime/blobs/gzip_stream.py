"""A file as one gzip member, in chunks and bounded memory; igzip is ten times as fast as zlib at this level."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from isal import isal_zlib

from headway.contract.limits import CHUNK_BYTES, MIB
from headway.runtime.blobs.blob_file import OnBytes, tell_nobody

_READ_BYTES = MIB
_LEVEL = 1
"""Level 0 makes weights larger; levels above cost time and gain nothing on them (notes on training, 5)."""
_GZIP_MEMBER = 31
"""wbits that write a gzip header and trailer."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read gave.

    Attributes:
        chunks: of the gzip member, each at most 256 KiB; none while what is ready is less than a chunk.
        position_bytes: how far in the file the content of these chunks, and what waits for the next, ends.
    """

    chunks: list[bytes]
    position_bytes: int


class GzipReader:
    """Reads a file from an offset and compresses it, one MiB a call. Close it."""

    def __init__(self, path: Path, offset_bytes: int) -> None:
        """Args: path: opened now; raises OSError. offset_bytes: where the member's content begins."""
        self._lock = threading.Lock()
        self._file = path.open("rb", buffering=0)
        self._file.seek(offset_bytes)
        self._position_bytes = offset_bytes
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._compressor = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP_MEMBER)
        self._ready = bytearray()
        self._is_over = False

    def next_batch(self) -> Batch | None:
        """The next chunks; None once the member is whole, or the reader closed. Blocks: call it in a thread."""
        with self._lock:
            if self._is_over:
                return None
            count = self._file.readinto(self._buffer)
            self._is_over = not count
            self._ready += self._compressor.compress(self._buffer[:count]) if count else self._compressor.flush()
            self._position_bytes += count or 0
            return Batch(self._cut(), self._position_bytes)

    def _cut(self) -> list[bytes]:
        """Whole chunks; what is less than a chunk waits for the next batch, unless this is the last."""
        whole = len(self._ready) if self._is_over else len(self._ready) // CHUNK_BYTES * CHUNK_BYTES
        view = memoryview(self._ready)
        chunks = [bytes(view[start : min(start + CHUNK_BYTES, whole)]) for start in range(0, whole, CHUNK_BYTES)]
        view.release()
        del self._ready[:whole]
        return chunks

    def close(self) -> None:
        """Close the file, once the batch under way is done: a few milliseconds."""
        with self._lock:
            self._is_over = True
            self._file.close()


async def gzip_chunks(reader: GzipReader, on_bytes: OnBytes = tell_nobody) -> AsyncGenerator[bytes, None]:
    """A reader's chunks; the next batch is compressed while the last is sent.

    At most two batches, some 2 MiB, are in memory. The reader stays the caller's to close, also under this iterator:
    grpc drops the iterator of a call that has ended, and nobody could say when that lets go of a file.

    Args:
        reader: of the file; an OSError that it meets is raised.
        on_bytes: told the position in the file after each batch that was taken.
    """
    loop = asyncio.get_running_loop()
    pending = loop.run_in_executor(None, reader.next_batch)
    while batch := await pending:
        pending = loop.run_in_executor(None, reader.next_batch)
        for chunk in batch.chunks:
            yield chunk
        on_bytes(batch.position_bytes)
