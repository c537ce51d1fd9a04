"""The gateway: websocket sessions that are identified, kept alive, dropped, resumed and refused."""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from itertools import count

from aiohttp import WSMsgType, web

from headway.testing.discord.payloads import Json
from headway.testing.discord.sessions import Op, Session, Socket

PRIVILEGED_INTENTS = (1 << 1) | (1 << 8) | (1 << 15)
"""Members, presences and message content: a bot has them only when its owner asked Discord for them."""


class CloseCode(IntEnum):
    """Why Discord closes a connection."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    DISALLOWED_INTENTS = 4014


class NotConnected(Exception):
    """No bot is connected."""


class _Closed(Exception):
    """The connection is to be closed with a code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


@dataclass(slots=True)
class Counters:
    """What clients did so far."""

    connections: int = 0
    identifies: int = 0
    resumes: int = 0
    heartbeats: int = 0


class Gateway:
    """All sessions of the one bot, and the faults of its connection.

    Attributes:
        is_acking: whether heartbeats are answered.
        refuse_with: close every identify and resume with this code; None takes them.
        is_silent: say nothing on a new connection, not even hello.
        is_forgetful: know no session when a client wants to resume.
        heartbeat_seconds: told to each client.
    """

    def __init__(self, token: str, make_ready: Callable[[str], Json], tell: Callable[[bool], None]) -> None:
        self.is_acking = True
        self.is_silent = False
        self.is_forgetful = False
        self.refuse_with: CloseCode | None = None
        self.heartbeat_seconds = 41.25
        self.counters = Counters()
        self._token = token
        self._make_ready = make_ready
        self._tell = tell
        self._sessions: dict[str, Session] = {}
        self._sockets: set[Socket] = set()
        self._numbers = count(1)
        self._connected = asyncio.Event()

    @property
    def session(self) -> Session | None:
        """The newest session."""
        return next(reversed(self._sessions.values()), None)

    @property
    def is_connected(self) -> bool:
        """Whether a bot is ready on a connection that is open."""
        return self.session is not None and self.session.is_connected

    async def wait_connected(self, timeout_seconds: float = 20.0) -> None:
        """Wait until a bot is ready.

        Raises:
            NotConnected: none came in time.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.is_connected:
                    self._connected.clear()
                    await self._connected.wait()
        except TimeoutError:
            raise NotConnected(f"no bot connected within {timeout_seconds:g} s") from None

    async def dispatch(self, event: str, data: Json) -> None:
        """Tell the bot something; while it is away, it hears when it resumes.

        Raises:
            NotConnected: there is no session.
        """
        if self.session is None:
            raise NotConnected("no bot is connected")
        await self.session.dispatch(event, data)

    def drop(self) -> None:
        """Cut every connection; sessions can be resumed."""
        for socket in tuple(self._sockets):
            socket.drop()

    async def reconnect(self) -> None:
        """Ask the client to connect again and resume: operation 7."""
        for socket in tuple(self._sockets):
            await socket.send(Op.RECONNECT, None)

    async def invalidate(self, *, is_resumable: bool) -> None:
        """Tell the client that its session is invalid: operation 9; when not resumable, it is forgotten."""
        sockets = tuple(self._sockets)
        if not is_resumable:
            self._sessions.clear()
        for socket in sockets:
            await socket.send(Op.INVALID_SESSION, is_resumable)

    async def close(self, code: int) -> None:
        """Close every connection with a code."""
        for socket in tuple(self._sockets):
            await socket.close(code)

    async def replay(self, num_events: int = 1) -> None:
        """Send the newest events once more, with the sequence numbers that they had.

        Raises:
            NotConnected: no bot is connected.
        """
        session = self.session
        if session is None or session.socket is None:
            raise NotConnected("no bot is connected")
        for sequence, event, data in list(session.events)[-num_events:]:
            await session.socket.send(Op.DISPATCH, data, sequence, event)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection, from hello to its end."""
        # Discord takes 4,096 bytes at most from a client.
        raw = web.WebSocketResponse(max_msg_size=4096, compress=False)
        await raw.prepare(request)
        socket = Socket(request, raw)
        self._sockets.add(socket)
        self.counters.connections += 1
        try:
            if not self.is_silent:
                await socket.send(Op.HELLO, {"heartbeat_interval": int(self.heartbeat_seconds * 1000)})
            await self._converse(raw, socket)
        except _Closed as error:
            await socket.close(error.code)
        finally:
            self._sockets.discard(socket)
            self._leave(socket)
        return raw

    async def _converse(self, raw: web.WebSocketResponse, socket: Socket) -> None:
        session: Session | None = None
        async for received in raw:
            if received.type is not WSMsgType.TEXT:
                raise _Closed(CloseCode.DECODE_ERROR)
            op, data = _decoded(received.data)
            if op == Op.HEARTBEAT:
                await self._beat(socket)
            elif op in {Op.IDENTIFY, Op.RESUME}:
                if session is not None:
                    raise _Closed(CloseCode.ALREADY_AUTHENTICATED)
                session = await self._admit(socket, op, data)
            elif op != Op.PRESENCE:
                raise _Closed(CloseCode.UNKNOWN_OPCODE)
            elif session is None:
                raise _Closed(CloseCode.NOT_AUTHENTICATED)

    async def _beat(self, socket: Socket) -> None:
        self.counters.heartbeats += 1
        if self.is_acking:
            await socket.send(Op.HEARTBEAT_ACK, None)

    async def _admit(self, socket: Socket, op: int, data: Json) -> Session | None:
        if self.refuse_with is not None:
            raise _Closed(self.refuse_with)
        if data.get("token") != self._token:
            raise _Closed(CloseCode.AUTHENTICATION_FAILED)
        session = await (self._identify(socket, data) if op == Op.IDENTIFY else self._resume(socket, data))
        if session is not None:
            self._connected.set()
            self._tell(True)  # noqa: FBT003 - whether a bot is here
        return session

    async def _identify(self, socket: Socket, data: Json) -> Session:
        self.counters.identifies += 1
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & PRIVILEGED_INTENTS:
            raise _Closed(CloseCode.DISALLOWED_INTENTS)
        session = Session(id=f"{next(self._numbers)}-{secrets.token_hex(8)}", intents=intents, socket=socket)
        # One bot, one session: the one before can no longer be resumed.
        self._sessions = {session.id: session}
        await session.dispatch("READY", self._make_ready(session.id))
        return session

    async def _resume(self, socket: Socket, data: Json) -> Session | None:
        self.counters.resumes += 1
        session = self._sessions.get(str(data.get("session_id")))
        sequence = data.get("seq")
        if session is None or self.is_forgetful or not isinstance(sequence, int):
            await socket.send(Op.INVALID_SESSION, False)  # noqa: FBT003 - the payload
            return None
        if sequence > session.sequence:
            raise _Closed(CloseCode.INVALID_SEQ)
        missed = [event for event in session.events if event[0] > sequence]
        session.socket = socket
        for number, event, payload in missed:
            await socket.send(Op.DISPATCH, payload, number, event)
        await session.dispatch("RESUMED", {})
        return session

    def _leave(self, socket: Socket) -> None:
        for session in self._sessions.values():
            if session.socket is socket:
                session.socket = None
                self._tell(False)  # noqa: FBT003 - whether a bot is here


def _decoded(text: str) -> tuple[int, Json]:
    try:
        payload = json.loads(text)
        op, data = payload["op"], payload.get("d")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _Closed(CloseCode.DECODE_ERROR) from None
    if not isinstance(op, int):
        raise _Closed(CloseCode.DECODE_ERROR)
    return op, data if isinstance(data, dict) else {}
