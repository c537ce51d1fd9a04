"""Just enough HTTP/2 to misbehave: frames as bytes, headers as plain literals."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
CANCEL = 8
FRAME_BYTES = 16_384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening() -> bytes:
    """What a client says first."""
    return PREFACE + frame(SETTINGS, 0, 0)


def request_headers(stream: int, method: str, metadata: Mapping[str, str], *, flags: int = END_HEADERS) -> bytes:
    """The headers of a gRPC call."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "test",
        "content-type": "application/grpc",
        "te": "trailers",
        **metadata,
    }
    # 0x00: literal without indexing, with a literal name; no Huffman code.
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers.items())
    return frame(HEADERS, flags, stream, block)


def message_frames(stream: int, content: bytes, *, is_compressed: bool = False) -> bytes:
    """A gRPC message and the end of the stream."""
    payload = struct.pack(">BI", is_compressed, len(content)) + content
    pieces = [payload[at : at + FRAME_BYTES] for at in range(0, len(payload), FRAME_BYTES)]
    last = len(pieces) - 1
    return b"".join(frame(DATA, END_STREAM if at == last else 0, stream, piece) for at, piece in enumerate(pieces))


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) < 127:
        return bytes([len(encoded)]) + encoded
    rest, length = len(encoded) - 127, b"\x7f"
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + encoded


@dataclass
class RawConnection:
    """A connection that says whatever a test wants."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        """Write and wait until the other side has taken it; a connection that is closed swallows it."""
        try:
            self.writer.write(content)
            await self.writer.drain()
        except ConnectionError:
            return

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """Kind and payload of each frame that comes, until the connection ends."""
        while True:
            try:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3]))
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield head[3], payload

    async def ends_with_goaway(self) -> bool:
        """Read until the server says GOAWAY or closes; whether it said so."""
        async for kind, _ in self.frames():
            if kind == GOAWAY:
                return True
        return False


@asynccontextmanager
async def raw_connection(address: str) -> AsyncIterator[RawConnection]:
    """A TCP connection to a gRPC server, for the length of the block."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.transport.abort()


async def send_bytes(channel: grpc.aio.Channel, method: str, content: bytes) -> bytes:
    """A unary call whose request is these bytes, whatever they are; returns the bytes of the response."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return await call(content)
