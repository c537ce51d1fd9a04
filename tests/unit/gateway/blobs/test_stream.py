from collections.abc import AsyncIterator, Iterable

import pytest

from gateway.blobs.stream import UploadStream, read_header
from headway.contract.digests import sha256_of
from headway.contract.errors import HeadwayError, InvalidDigest, InvalidName, OutOfRange, SizeMismatch, StreamProtocol
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_GZIP, UploadBlobRequest, UploadChunk, UploadHeader

HEADER = UploadHeader(parent="projects/demo", digest=sha256_of(b"x"), size_bytes=10, encoding=BLOB_ENCODING_GZIP)


async def stream(messages: Iterable[UploadBlobRequest]) -> AsyncIterator[UploadBlobRequest]:
    for message in messages:
        yield message


def chunk(data: bytes, offset: int) -> UploadBlobRequest:
    return UploadBlobRequest(chunk=UploadChunk(data=data, offset_bytes=offset))


async def read(messages: Iterable[UploadBlobRequest], max_bytes: int = 4) -> list[list[bytes]]:
    upload = UploadStream(stream(messages))
    await upload.header()
    return [batch async for batch in upload.batches(max_bytes, lambda _: None)]


async def test_chunks_are_gathered_into_batches() -> None:
    messages = [UploadBlobRequest(header=HEADER), *(chunk(b"ab", 2 * at) for at in range(5))]
    assert await read(messages) == [[b"ab", b"ab"], [b"ab", b"ab"], [b"ab"]]


async def test_every_byte_is_heard_of() -> None:
    heard: list[int] = []
    upload = UploadStream(stream([UploadBlobRequest(header=HEADER), chunk(b"abc", 0), chunk(b"d", 3)]))
    await upload.header()
    assert [batch async for batch in upload.batches(100, heard.append)] == [[b"abc", b"d"]]
    assert heard == [3, 1]
    assert upload.num_bytes == 4


@pytest.mark.parametrize("messages", [[], [UploadBlobRequest()], [chunk(b"a", 0)]])
async def test_the_header_comes_first(messages: list[UploadBlobRequest]) -> None:
    with pytest.raises(StreamProtocol):
        await read(messages)


@pytest.mark.parametrize(
    "messages",
    [
        [UploadBlobRequest(header=HEADER)],
        [UploadBlobRequest()],
        [chunk(b"a", 1)],
        [chunk(b"a", -1)],
        [chunk(b"", 0)],
        [chunk(b"a", 0), chunk(b"a", 0)],
        [chunk(b"a", 0), chunk(b"a", 2)],
        [chunk(b"a" * (1024 * 1024 + 1), 0)],
    ],
)
async def test_only_chunks_without_gaps_follow(messages: list[UploadBlobRequest]) -> None:
    with pytest.raises(StreamProtocol):
        await read([UploadBlobRequest(header=HEADER), *messages])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"parent": "projects/../x"}, InvalidName),
        ({"parent": ""}, InvalidName),
        ({"digest": "md5:1"}, InvalidDigest),
        ({"size_bytes": -1}, SizeMismatch),
        ({"offset_bytes": -1}, OutOfRange),
        ({"offset_bytes": 11}, OutOfRange),
        ({"encoding": 7}, StreamProtocol),
    ],
)
def test_each_field_of_a_header_is_checked(change: dict[str, str | int], error: type[HeadwayError]) -> None:
    header = UploadHeader()
    header.CopyFrom(HEADER)
    for name, value in change.items():
        setattr(header, name, value)
    with pytest.raises(error):
        read_header(header)
