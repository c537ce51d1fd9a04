"""A websocket connection, and the session that outlives it."""

import json
import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

from aiohttp import web
from pydantic import JsonValue

from headway.testing.discord.payloads import Json

MAX_REPLAYED = 1000
"""Events that a session keeps for a client that comes back."""


class Op(IntEnum):
    """Discord's operation codes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE = 3
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Socket:
    """One websocket connection, compressed as its client asked."""

    def __init__(self, request: web.Request, raw: web.WebSocketResponse) -> None:
        self._transport = request.transport
        self._raw = raw
        is_compressed = request.query.get("compress") == "zlib-stream"
        self._compressor = zlib.compressobj() if is_compressed else None

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return not self._raw.closed

    async def send(self, op: Op, data: JsonValue, sequence: int | None = None, event: str | None = None) -> None:
        """Send one payload; a connection that is gone swallows it."""
        text = json.dumps({"op": int(op), "d": data, "s": sequence, "t": event})
        try:
            if self._compressor is None:
                await self._raw.send_str(text)
            else:
                packed = self._compressor.compress(text.encode())
                await self._raw.send_bytes(packed + self._compressor.flush(zlib.Z_SYNC_FLUSH))
        except ConnectionError:
            return

    async def close(self, code: int) -> None:
        """Close with a code."""
        await self._raw.close(code=code)

    def drop(self) -> None:
        """Cut the connection without a word, as a network does."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(slots=True)
class Session:
    """What outlives a connection.

    Attributes:
        id: by which a client asks for it again.
        sequence: of the newest event.
        events: the newest ones, for a client that comes back.
        socket: the present connection; None between two.
        intents: that the client asked for.
    """

    id: str
    intents: int
    sequence: int = 0
    events: deque[tuple[int, str, Json]] = field(default_factory=lambda: deque(maxlen=MAX_REPLAYED))
    socket: Socket | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a client listens now."""
        return self.socket is not None and self.socket.is_open

    async def dispatch(self, event: str, data: Json) -> None:
        """Send an event now, or keep it until the client resumes."""
        self.sequence += 1
        self.events.append((self.sequence, event, data))
        if self.socket is not None:
            await self.socket.send(Op.DISPATCH, data, self.sequence, event)
