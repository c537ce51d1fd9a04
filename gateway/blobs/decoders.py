"""From the bytes of an upload stream to bytes of content, in bounded pieces."""

from collections.abc import Iterator
from typing import Protocol

from isal import igzip_lib

from headway.contract.errors import InvalidGzip
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_GZIP, BlobEncoding

MAX_PIECE_BYTES = 1024 * 1024

# The library's stub declares its exception class as an instance, which no `except` may name.
_ISAL_ERROR: type[Exception] = vars(igzip_lib)["IsalError"]


class Decoder(Protocol):
    """Takes the stream chunk by chunk."""

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """The content that the chunk brings, in pieces of at most 1 MiB.

        A bomb costs no memory: the caller counts the pieces and stops.

        Raises:
            InvalidGzip: the stream is not one gzip member.
        """
        ...

    def finish(self) -> None:
        """The stream has ended.

        Raises:
            InvalidGzip: it ended inside the gzip member.
        """
        ...


class IdentityDecoder:
    """The stream is the content."""

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk itself."""
        yield chunk

    def finish(self) -> None:
        """Nothing is left to check."""


class GzipDecoder:
    """The stream is exactly one gzip member; its header's name and time are ignored."""

    def __init__(self) -> None:
        self._inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)

    def decode(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress a chunk; the member's checksum and length are checked when its end is reached."""
        if self._is_over():
            raise _invalid("bytes follow the gzip member")
        piece = self._decompress(chunk)
        while piece:
            yield piece
            if self._is_over() or (self._inflate.needs_input and len(piece) < MAX_PIECE_BYTES):
                break
            piece = self._decompress(b"")
        if self._is_over() and self._inflate.unused_data:
            raise _invalid("bytes follow the gzip member")

    def finish(self) -> None:
        """Refuse a member that has no end."""
        if not self._is_over():
            raise _invalid("it ends inside the gzip member")

    def _decompress(self, chunk: bytes) -> bytes:
        try:
            return self._inflate.decompress(chunk, MAX_PIECE_BYTES)
        except _ISAL_ERROR as error:
            raise _invalid(str(error)) from None

    def _is_over(self) -> bool:
        return self._inflate.eof


def decoder_for(encoding: "BlobEncoding.ValueType") -> Decoder:
    """The decoder of an encoding that the header may name."""
    return GzipDecoder() if encoding == BLOB_ENCODING_GZIP else IdentityDecoder()


def _invalid(why: str) -> InvalidGzip:
    return InvalidGzip(f"the stream is not exactly one gzip member: {why}", metadata={"why": why})
