"""The messages of one upload call: a header first and once, then chunks without gaps."""

from collections.abc import AsyncIterator, Callable

from gateway.blobs.upload import UploadRequest
from headway.contract.digests import check_digest
from headway.contract.errors import OutOfRange, SizeMismatch, StreamProtocol, Violation
from headway.contract.ids import ProjectName
from headway.contract.limits import UPLOAD_CHUNK_MAX_BYTES
from headway.v1.blobs_service_pb2 import BlobEncoding, UploadBlobRequest, UploadChunk, UploadHeader


class UploadStream:
    """Reads the caller's messages and checks their order."""

    def __init__(self, messages: AsyncIterator[UploadBlobRequest]) -> None:
        """Args: messages: as gRPC hands them over."""
        self._messages = messages
        self._num_bytes = 0
        self._batch: list[bytes] = []

    async def header(self) -> UploadRequest:
        """The first message.

        Raises:
            StreamProtocol: it is missing, or is a chunk.
            InvalidArgument: one of its fields is wrong.
        """
        async for message in self._messages:
            if message.WhichOneof("part") == "header":
                return read_header(message.header)
            break
        raise StreamProtocol("the first message of an upload must be its header")

    async def batches(self, max_bytes: int, heard: Callable[[int], None]) -> AsyncIterator[list[bytes]]:
        """The chunks, several at a time, so that a thread is woken seldom. Ends with the stream.

        Args:
            max_bytes: a batch is full from here on.
            heard: told of the bytes of every chunk.

        Raises:
            StreamProtocol: a second header; a gap or overlap; an empty or overlong chunk.
        """
        num_batched = 0
        async for message in self._messages:
            if message.WhichOneof("part") != "chunk":
                raise StreamProtocol("after the header only chunks may come")
            data = self._take(message.chunk)
            heard(len(data))
            self._batch.append(data)
            num_batched += len(data)
            if num_batched >= max_bytes:
                yield self.take_rest()
                num_batched = 0
        if self._batch:
            yield self.take_rest()

    def take_rest(self) -> list[bytes]:
        """The chunks that have come and are in no batch yet; of use when the stream breaks off."""
        rest, self._batch = self._batch, []
        return rest

    @property
    def num_bytes(self) -> int:
        """Bytes of the encoded stream so far."""
        return self._num_bytes

    def _take(self, chunk: UploadChunk) -> bytes:
        data = chunk.data
        if not 1 <= len(data) <= UPLOAD_CHUNK_MAX_BYTES:
            raise StreamProtocol(f"a chunk has {len(data)} bytes; 1 to {UPLOAD_CHUNK_MAX_BYTES} are allowed")
        if chunk.offset_bytes != self._num_bytes:
            raise StreamProtocol(
                f"a chunk has offset {chunk.offset_bytes}, and {self._num_bytes} bytes have come",
                metadata={"expected_offset_bytes": str(self._num_bytes)},
            )
        self._num_bytes += len(data)
        return data


def read_header(header: UploadHeader) -> UploadRequest:
    """Check a header's fields.

    Raises:
        InvalidName: the parent.
        InvalidDigest: the digest.
        SizeMismatch: a negative size.
        OutOfRange: an offset outside of the content.
        StreamProtocol: an encoding that this server does not know.
    """
    project = ProjectName.parse(header.parent, field="header.parent").project
    digest = check_digest("header.digest", header.digest)
    if header.size_bytes < 0:
        raise SizeMismatch("a size is at least 0", violations=[_violation("size_bytes", "negative", "0 or more")])
    if not 0 <= header.offset_bytes <= header.size_bytes:
        allowed = f"0 to {header.size_bytes}, the declared size"
        raise OutOfRange(
            "the offset is outside of the content", violations=[_violation("offset_bytes", "out of range", allowed)]
        )
    if header.encoding not in BlobEncoding.values():
        raise StreamProtocol("the encoding is unknown; use IDENTITY or GZIP")
    return UploadRequest(
        project=project,
        digest=digest,
        size_bytes=header.size_bytes,
        encoding=header.encoding,
        offset_bytes=header.offset_bytes,
    )


def _violation(field: str, message: str, allowed: str) -> Violation:
    return Violation(f"header.{field}", "OUT_OF_RANGE", message, allowed)
