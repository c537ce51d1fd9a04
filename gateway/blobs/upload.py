"""One upload call: what its stream must be, and what becomes of its part. Blocking: runs in a disk thread."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.blobs.decoders import decoder_for
from gateway.blobs.parts import Part
from gateway.blobs.store import BlobInfo, BlobStore, check_content
from headway.contract.errors import HeadwayError, InvalidGzip, SizeMismatch, WrongOffset
from headway.runtime.failpoints import failpoints_around
from headway.v1.blobs_service_pb2 import BlobEncoding


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRequest:
    """A checked header.

    Attributes:
        project: whose blob it is.
        digest: of the whole content.
        size_bytes: of the whole content.
        encoding: of this call's stream.
        offset_bytes: where in the content this call's stream begins.
    """

    project: str
    digest: str
    size_bytes: int
    encoding: "BlobEncoding.ValueType"
    offset_bytes: int


class Upload:
    """Decodes, counts and hashes a stream into a part of its own, so that no two calls touch the same file."""

    def __init__(self, store: BlobStore, request: UploadRequest) -> None:
        """Nothing is opened before `begin`."""
        self._store = store
        self._request = request
        self._decoder = decoder_for(request.encoding)
        self._part: Part | None = None
        # A cancelled call's clean-up must wait for the thread that still writes.
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes of content that this call holds so far, those that it adopted included."""
        return self._part.size if self._part is not None else 0

    def begin(self) -> None:
        """Open the part.

        Raises:
            WrongOffset: the header's offset is not where the kept content ends.
            BlobTooLarge: the declared size is over the limit.
            DiskFull: it would not fit.
        """
        with self._lock, failpoints_around("save.s0"):
            self._part = self._begun()

    def write(self, chunks: Sequence[bytes]) -> None:
        """Take some of the stream. After an error the part must be abandoned.

        Raises:
            SizeMismatch: more content than declared; not a byte of it is written.
            InvalidGzip: not one gzip member.
            DiskFull: no room.
        """
        with self._lock, failpoints_around("save.s2"):
            self._append(self._open_part(), chunks)

    def finish(self) -> BlobInfo:
        """The stream has ended: check the whole, put it on disk, make it visible.

        Raises:
            InvalidGzip, SizeMismatch: the stream ended early. What came is kept: a broken connection can look so.
            DigestMismatch: not the content that was announced; nothing is kept.
            DiskFull: no room.
        """
        with self._lock:
            part = self._open_part()
            try:
                self._check_end(part)
            except (InvalidGzip, SizeMismatch):
                self._keep()
                raise
            with failpoints_around("save.s3"):
                check_content(self._request.digest, part.digest)
            info = self._store.publish(part, self._request.project)
            self._part = None
            return info

    def interrupt(self, rest: Sequence[bytes] = ()) -> None:
        """The call ended before its stream did: keep what came, for the next call. No-op when nothing is open.

        Args:
            rest: what came last and was not written yet.
        """
        with self._lock:
            if self._part is None:
                return
            # What is wrong with the rest, the next call will meet again.
            with suppress(HeadwayError):
                self._append(self._part, rest)
            self._keep()

    def abandon(self) -> None:
        """Throw away what is open, if anything is. Always the last call."""
        with self._lock:
            if self._part is not None:
                self._part.discard()
                self._part = None

    def _begun(self) -> Part:
        request = self._request
        if request.offset_bytes == 0:
            return self._store.new_part(request.project, request.digest, request.size_bytes)
        self._store.check_size(request.size_bytes)
        left = max(0, request.size_bytes - request.offset_bytes)
        kept_size = self._store.kept_size(request.project, request.digest)
        part = None
        if kept_size == request.offset_bytes:
            part = self._store.adopt_kept(request.project, request.digest, left)
        if part is None:
            raise wrong_offset(request.offset_bytes, kept_size)
        return part

    def _keep(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        if part.size == 0:
            part.discard()
        else:
            self._store.keep(part, self._request.project, self._request.digest)

    def _check_end(self, part: Part) -> None:
        self._decoder.finish()
        if part.size != self._request.size_bytes:
            raise _size_mismatch(part.size, self._request.size_bytes)

    def _append(self, part: Part, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            for piece in self._decoder.decode(chunk):
                self._check_size(part.size + len(piece))
                part.write(piece)

    def _open_part(self) -> Part:
        if self._part is None:
            raise RuntimeError("the upload has not begun, or is over")
        return self._part

    def _check_size(self, size: int) -> None:
        if size > self._request.size_bytes:
            raise _size_mismatch(size, self._request.size_bytes)


def wrong_offset(offset_bytes: int, committed_size_bytes: int) -> WrongOffset:
    """The error that tells a caller where to go on."""
    return WrongOffset(
        f"the stream begins at {offset_bytes}, and {committed_size_bytes} bytes are kept; begin there",
        metadata={"committed_size_bytes": str(committed_size_bytes), "offset_bytes": str(offset_bytes)},
    )


def _size_mismatch(found: int, declared: int) -> SizeMismatch:
    word = "at least " if found > declared else ""
    return SizeMismatch(
        f"the content has {word}{found} bytes, and {declared} were declared",
        metadata={"size_bytes": str(found), "declared_size_bytes": str(declared)},
    )
