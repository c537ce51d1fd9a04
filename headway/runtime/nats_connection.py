"""One connection to nats-server: requests that fail at once when the connection is lost, and a size guard.

nats-py alone would let a request wait out its time limit after a restart of the server, keep publishes in a buffer and
store them later, and close for ever when a message is too large. Here a request waits for the connection first, is
given up in the moment the connection is lost (its outcome is then unknown), and a message that the server would not
accept is never sent.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import nats
import nats.errors
from nats.aio.client import Client, Server
from nats.aio.msg import Msg

from headway.contract.errors import StoreUnavailable
from headway.runtime.bus_errors import MessageTooLarge, OutcomeUnknown, StreamMissing
from headway.runtime.bus_options import BusOptions
from headway.runtime.logs import get_logger

_log = get_logger(__name__)
_MAX_SUBJECT_BYTES = 1024  # A control line over 4 KiB makes the server close the connection for good.
_HEADER_ALLOWANCE_BYTES = 200  # nats-py checks the payload alone; the server counts headers too.
_NO_RESPONDERS = "503"


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request without an answer yet; `deadline` by the loop's clock."""

    future: asyncio.Future[Msg]
    deadline: float


class NatsConnection:
    """A live connection; made by `open_connection`."""

    def __init__(self, client: Client, options: BusOptions) -> None:
        self.client = client
        self.closed = asyncio.Event()
        self._connected = asyncio.Event()
        self._options = options
        self._waiting: dict[str, _Waiting] = {}
        self._expiry: asyncio.TimerHandle | None = None
        self._tokens = count()
        self._inbox = ""
        self._is_leaving = False
        self._wakers: dict[int, Callable[[], None]] = {}
        self.before_wakes: Callable[[], Awaitable[None]] | None = None

    async def start(self, url: str, name: str) -> None:
        """Connect, and listen for answers.

        Raises:
            StoreUnavailable: the server did not answer in time.
        """
        options = self._options
        try:
            async with asyncio.timeout(options.connect_timeout_seconds):
                await self.client.connect(
                    url,
                    name=name,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    closed_cb=self._on_closed,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,  # for the first connection only; see the handler
                    reconnect_to_server_handler=self._choose_server,
                    connect_timeout=2,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    drain_timeout=5,
                    # Answers to one service are not for another's ears; deploy/nats/headway.conf allows each its own.
                    inbox_prefix=options.inbox_prefix or f"_INBOX_{name}",
                    tls=ssl.create_default_context(cafile=options.ca_file) if options.ca_file else None,
                    user_credentials=str(options.credentials_file) if options.credentials_file else None,
                )
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise StoreUnavailable("nats-server does not answer; is it running, and is nats_url right?") from error
        self._inbox = self.client.new_inbox()
        await self.client.subscribe(f"{self._inbox}.*", cb=self._on_answer)
        self._connected.set()

    async def stop(self) -> None:
        """Send what is buffered and close."""
        self._is_leaving = True
        if not self.client.is_closed:
            if self.client.is_connected:
                try:
                    await self.client.flush(timeout=1)
                except (nats.errors.Error, OSError):
                    _log.warning("nats flush failed at close")
            await self.client.close()

    @property
    def api(self) -> str:
        """What subjects of the JetStream API begin with."""
        return f"$JS.{self._options.domain}.API" if self._options.domain else "$JS.API"

    @property
    def is_connected(self) -> bool:
        """Whether requests can be sent right now."""
        return self._connected.is_set()

    async def request(self, subject: str, data: bytes, headers: Mapping[str, str] | None = None) -> Msg:
        """Send and wait for the one answer.

        Raises:
            StoreUnavailable: not sent; the server is away.
            OutcomeUnknown: sent, and the connection was lost or the time ran out.
            StreamMissing: nobody listens on the subject.
            MessageTooLarge: not sent.
        """
        self.guard_size(subject, data, headers)
        deadline = asyncio.get_running_loop().time() + self._options.request_timeout_seconds
        if not self._connected.is_set():
            await self._wait_until_connected(deadline)
        token = str(next(self._tokens))
        future = self._expect(token, deadline)
        try:
            # This does not wait for the server: nats-py takes what is sent into a buffer of its own.
            await self._send(subject, data, f"{self._inbox}.{token}", headers)
            answer = await future
        finally:
            self._waiting.pop(token, None)
        if answer.headers and answer.headers.get("Status") == _NO_RESPONDERS:
            raise StreamMissing(f"nobody answers on {subject}: the stream does not exist or JetStream is starting")
        return answer

    async def _wait_until_connected(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._connected.wait()
        except TimeoutError as error:
            raise StoreUnavailable("nats-server is away") from error

    def _expect(self, token: str, deadline: float) -> asyncio.Future[Msg]:
        """An answer to wait for. One timer serves all: a timer for each would cost as much as parsing the answer."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        self._waiting[token] = _Waiting(future, deadline)
        if self._expiry is None or deadline < self._expiry.when():
            self._set_expiry(deadline)
        return future

    def _set_expiry(self, deadline: float) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = asyncio.get_running_loop().time()
        for waiting in self._waiting.values():
            if waiting.deadline <= now and not waiting.future.done():
                waiting.future.set_exception(OutcomeUnknown("nats-server did not answer in time"))
        remaining = [waiting.deadline for waiting in self._waiting.values() if not waiting.future.done()]
        if remaining:
            self._set_expiry(min(remaining))

    async def send(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send without an answer.

        Raises:
            StoreUnavailable: the connection is lost; nothing is buffered.
        """
        if not self._connected.is_set():
            raise StoreUnavailable("nats-server is away")
        await self._send(subject, data, reply, None)

    def guard_size(self, subject: str, data: bytes, headers: Mapping[str, str] | None) -> None:
        """Refuse what the server would answer by closing the connection for good.

        Raises:
            MessageTooLarge: the subject or the message with its headers is over the bound.
        """
        size = len(data) + _HEADER_ALLOWANCE_BYTES
        if headers:
            size += sum(len(name.encode()) + len(value.encode()) + 4 for name, value in headers.items())
        if size > self.client.max_payload:
            raise MessageTooLarge(f"a message of {size} bytes is over the server's {self.client.max_payload}")
        if len(subject.encode()) > _MAX_SUBJECT_BYTES:
            raise MessageTooLarge(f"a subject of {len(subject)} characters is over the {_MAX_SUBJECT_BYTES} bytes")

    def on_reconnect(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every reconnection, until the function returned here is called."""
        key = next(self._tokens)
        self._wakers[key] = wake

        def forget() -> None:
            self._wakers.pop(key, None)

        return forget

    async def _send(self, subject: str, data: bytes, reply: str, headers: Mapping[str, str] | None) -> None:
        try:
            await self.client.publish(subject, data, reply=reply, headers=dict(headers) if headers else None)
        except (nats.errors.Error, OSError) as error:
            raise StoreUnavailable("the connection to nats-server is closed") from error

    def _choose_server(self, servers: list[Server], _info: dict[str, object]) -> tuple[Server | None, float]:
        # The one place where nats-py takes a wait of less than a second.
        return random.choice(servers), self._options.reconnect_wait_seconds

    async def _on_answer(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is not None and not waiting.future.done():
            waiting.future.set_result(message)

    async def _on_error(self, error: Exception) -> None:
        # Permission violations show up nowhere else: the request that was refused just gets no answer.
        if self._options.listener is not None:
            self._options.listener.refused(error)
        else:
            _log.warning("nats error", error=str(error) or type(error).__name__)

    async def _on_disconnected(self) -> None:
        self._connected.clear()
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(OutcomeUnknown("the connection to nats-server was lost"))
        if self._is_leaving:
            return
        if self._options.listener is not None:
            self._options.listener.lost()
        else:
            _log.warning("nats connection lost")

    async def _on_reconnected(self) -> None:
        self._connected.set()
        if self._options.listener is not None:
            self._options.listener.back()
        else:
            _log.info("nats connection is back")
        if self.before_wakes is not None:
            await self.before_wakes()
        for wake in list(self._wakers.values()):
            wake()

    async def _on_closed(self) -> None:
        self._connected.clear()
        if not self._is_leaving:
            _log.error("nats connection closed for good")
            if self._options.listener is not None:
                self._options.listener.closed()
        self.closed.set()


@asynccontextmanager
async def open_connection(url: str, name: str, options: BusOptions) -> AsyncIterator[NatsConnection]:
    """A connection for the length of the block.

    Raises:
        StoreUnavailable: the server did not answer in time.
    """
    connection = NatsConnection(Client(), options)
    try:
        await connection.start(url, name)
        yield connection
    finally:
        await connection.stop()
