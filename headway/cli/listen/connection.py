"""The connection to nats-server for commands that listen: quiet, and clear about what it is refused."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import nats
import nats.errors
from nats.aio.msg import Msg

from headway.cli.listen.address import NATS_URL_VARIABLE, NatsAddress
from headway.cli.view.consoles import say
from headway.contract.errors import PermissionDenied, ServiceUnavailable, StoreUnavailable
from headway.contract.subjects import EVENTS
from headway.runtime.bus_errors import OutcomeUnknown, StreamMissing
from headway.runtime.logs import configure_logging
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_settling import settle

_CONNECT_SECONDS = 3.0


class Teller:
    """Says what becomes of the connection, and keeps what the server refuses."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._is_away = False
        self.is_closed = False
        self.is_stranger = False
        self.refusal = ""

    def lost(self) -> None:
        """Say so once; it is tried again for as long as it takes."""
        self._is_away, self.is_stranger = True, False
        say("the connection to nats-server is lost; trying again ...", "yellow")

    def back(self) -> None:
        """Say so."""
        say("connected again; nothing was missed", "yellow")

    def closed(self) -> None:
        """End the task that listens: it would wait for ever."""
        self.is_closed = True
        if self._task is not None:
            self._task.cancel()

    def refused(self, error: Exception) -> None:
        """Keep it: what the server refuses shows up nowhere else."""
        # The protocol of NATS has no codes, only these words.
        text = str(error).lower()
        if "authorization violation" in text and not self.is_stranger:
            self.is_stranger = True
            if self._is_away:
                say("nats-server refuses this user or password now; trying again ...", "red")
        if "permissions violation" in text:
            self.refusal = str(error)


@asynccontextmanager
async def listening(address: NatsAddress) -> AsyncGenerator[NatsBus, None]:
    """A connection to JetStream for the length of the block; over restarts of the server nothing is missed.

    Raises:
        ServiceUnavailable: nothing answers at the address, or nobody has made the streams.
        PermissionDenied: the server refuses the user or what it wants.
    """
    # Lines of the log would stand between the events.
    configure_logging("cli", level="error", json_lines=False)
    teller = Teller()
    try:
        async with AsyncExitStack() as stack:
            for domain in address.domains:
                options = BusOptions(
                    connect_timeout_seconds=_CONNECT_SECONDS,
                    domain=domain,
                    inbox_prefix=address.inbox_prefix,
                    listener=teller,
                )
                bus = await stack.enter_async_context(connect(address.url, "cli", options=options))
                if await _has_events(bus) or domain == address.domains[-1]:
                    yield bus
                    break
                await stack.aclose()
    except asyncio.CancelledError as error:
        if not teller.is_closed:
            raise
        raise _explained(address, teller, StoreUnavailable("closed")) from error
    except StreamMissing as error:
        raise ServiceUnavailable(
            f"nats-server at {address.shown} keeps no events of headway: its gateway makes the streams when it starts"
        ) from error
    except StoreUnavailable as error:
        raise _explained(address, teller, error) from error


async def _has_events(bus: NatsBus) -> bool:
    try:
        await bus.stream_state(EVENTS)
    except StreamMissing:
        return False
    return True


def _explained(address: NatsAddress, teller: Teller, error: StoreUnavailable) -> Exception:
    if teller.is_stranger:
        return PermissionDenied(
            f"nats-server at {address.shown} refuses this user or password; "
            f"set {NATS_URL_VARIABLE}=nats://<user>:<password>@host:port, with a user that may hear events"
        )
    if teller.refusal:
        return PermissionDenied(f"nats-server at {address.shown} does not allow it: {teller.refusal}")
    if isinstance(error, OutcomeUnknown):
        return ServiceUnavailable(f"nats-server at {address.shown} did not answer in time: {error.message}")
    return ServiceUnavailable(f"nats-server does not answer at {address.shown}; name another with --nats-url")


@asynccontextmanager
async def subscribed(
    address: NatsAddress, *subjects: str, on_back: Callable[[], None] | None = None
) -> AsyncGenerator["asyncio.Queue[Msg]", None]:
    """The messages of some subjects as they come, by a plain subscription: what happens while it is away is missed.

    Raises:
        ServiceUnavailable: nothing answers at the address, or it refuses the user.
    """

    async def say_back() -> None:
        if on_back is not None:
            on_back()

    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await nats.connect(
                address.url, max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=_ignore, reconnected_cb=say_back
            )
    except (OSError, nats.errors.Error, TimeoutError) as error:
        raise ServiceUnavailable(
            f"nats-server does not answer at {address.shown}; name another with --nats-url"
        ) from error
    queue: asyncio.Queue[Msg] = asyncio.Queue()
    try:
        for subject in subjects:
            await connection.subscribe(subject, cb=queue.put)
        await settle(connection)
        yield queue
    finally:
        await connection.close()


async def _ignore(_error: Exception) -> None:
    """What the library has to say about single tries; the other callbacks say what a person needs."""
