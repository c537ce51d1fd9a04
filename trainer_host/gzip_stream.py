"""A file as one gzip member, in batches of bounded memory; igzip is ten times as fast as zlib at this level."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from isal import isal_zlib

from headway.contract.limits import CHUNK_BYTES, MIB

_READ_BYTES = MIB
_LEVEL = 1
"""Level 0 makes weights larger; levels above cost time and gain nothing on them (notes on training, 5)."""
_GZIP_MEMBER = 31
"""wbits that write a gzip header and trailer."""


class GzipReader:
    """Reads a file from an offset and compresses it, one batch a call. Blocks: call it in a thread."""

    def __init__(self, path: Path, offset_bytes: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(offset_bytes)
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._compressor = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP_MEMBER)
        self._ready = bytearray()
        self._is_over = False

    def next_chunks(self) -> list[bytes]:
        """The next chunks of at most 256 KiB; an empty list at the end."""
        while len(self._ready) < CHUNK_BYTES and not self._is_over:
            count = self._file.readinto(self._buffer)
            self._is_over = not count
            self._ready += self._compressor.compress(self._buffer[:count]) if count else self._compressor.flush()
        return self._cut()

    def _cut(self) -> list[bytes]:
        """Whole chunks; what is less than a chunk waits for the next batch, unless this is the last."""
        whole = len(self._ready) if self._is_over else len(self._ready) // CHUNK_BYTES * CHUNK_BYTES
        view = memoryview(self._ready)
        chunks = [bytes(view[start : min(start + CHUNK_BYTES, whole)]) for start in range(0, whole, CHUNK_BYTES)]
        view.release()
        del self._ready[:whole]
        return chunks

    def close(self) -> None:
        """Close the file; not while a batch is under way."""
        self._file.close()


async def gzip_chunks(path: Path, offset_bytes: int) -> AsyncGenerator[bytes, None]:
    """The file from an offset as gzip, in chunks; the next batch is compressed while the last is sent.

    At most two batches, some 2 MiB, are in memory. Close the iterator when it is left early.
    """
    # Opened here and not in a thread: a cancellation would lose the open file.
    reader = GzipReader(path, offset_bytes)
    loop = asyncio.get_running_loop()
    pending = loop.run_in_executor(None, reader.next_chunks)
    try:
        while chunks := await pending:
            pending = loop.run_in_executor(None, reader.next_chunks)
            for chunk in chunks:
                yield chunk
    finally:
        # The thread uses the file until its batch is done.
        await asyncio.wait([pending])
        reader.close()
