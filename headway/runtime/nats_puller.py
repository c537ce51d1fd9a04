"""Pulls batches from one JetStream consumer, and says so at once when the consumer or the connection is lost.

One pull is out at a time. Anything unusual (a reconnection, silence, any refusal) is one case: `ConsumerLost`. The feed
above opens a consumer again behind the last message that it yielded. So no refusal has to be told from another by its
English text, and no message can fall between two pulls.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from headway.contract.errors import StoreUnavailable
from headway.runtime.clock import Clock
from headway.runtime.nats_connection import NatsConnection

_NANOSECONDS = 1_000_000_000
_HEARTBEAT = "100"
_PULL_IS_OVER = frozenset({"404", "408"})


class ConsumerLost(Exception):
    """The consumer must be opened again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """How to pull.

    Attributes:
        batch: messages asked for at once.
        expires_seconds: how long one pull waits for messages at the server.
        heartbeat_seconds: the server speaks at least this often; two and a half of them without a word is silence.
        gather_seconds: above 0, the first message after a silence comes at once and those behind it in bundles, this
            far apart: reading a hundred messages at once costs a tenth of reading them one by one.
    """

    batch: int = 256
    expires_seconds: float = 30.0
    heartbeat_seconds: float = 2.0
    gather_seconds: float = 0.0


class Puller:
    """The messages of one consumer, in the order in which the server gave them."""

    def __init__(self, connection: NatsConnection, stream: str, options: PullOptions, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._stream = stream
        self._options = options
        self._queue: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._subscription: Subscription | None = None
        self._forget: Callable[[], None] | None = None
        self._inbox = ""
        self._subject = ""
        self._num_pulls = 0
        self._outstanding = 0
        self._is_gathering = False

    async def start(self, consumer: str) -> None:
        """Listen for what the consumer will send."""
        self._subject = f"{self._connection.api}.CONSUMER.MSG.NEXT.{self._stream}.{consumer}"
        self._inbox = self._connection.client.new_inbox()
        self._forget = self._connection.on_reconnect(lambda: self._queue.put_nowait(None))
        try:
            self._subscription = await self._connection.client.subscribe(f"{self._inbox}.*", cb=self._on_message)
        except (nats.errors.Error, OSError) as error:
            raise ConsumerLost from error

    async def stop(self) -> None:
        """Listen no longer."""
        if self._forget is not None:
            self._forget()
        if self._subscription is not None and not self._connection.client.is_closed:
            try:
                await self._subscription.unsubscribe()
            except (nats.errors.Error, OSError):
                return

    async def next(self) -> Msg:
        """The next message; waits for ever while the consumer is alive and silent.

        Raises:
            ConsumerLost: open the consumer again.
        """
        while True:
            if self._outstanding <= 0:
                await self._pull()
            message = await self._take()
            status = message.headers.get("Status") if message.headers else None
            if status is None:
                self._outstanding -= 1
                return message
            if status == _HEARTBEAT:
                continue
            if status not in _PULL_IS_OVER:
                raise ConsumerLost
            if message.subject.endswith(f".{self._num_pulls}"):
                self._outstanding = 0
                self._is_gathering = False

    async def _pull(self) -> None:
        body = await self._next_request()
        self._num_pulls += 1
        try:
            await self._connection.send(self._subject, json.dumps(body).encode(), f"{self._inbox}.{self._num_pulls}")
        except StoreUnavailable as error:
            raise ConsumerLost from error

    async def _next_request(self) -> dict[str, int | bool]:
        """What to ask for: one message and wait for it, then all that has gathered behind it, then one again."""
        if self._is_gathering:
            await self._clock.sleep(self._options.gather_seconds)
            self._outstanding = self._options.batch
            return {"batch": self._options.batch, "no_wait": True}
        self._is_gathering = self._options.gather_seconds > 0
        self._outstanding = 1 if self._is_gathering else self._options.batch
        return {
            "batch": self._outstanding,
            "expires": int(self._options.expires_seconds * _NANOSECONDS),
            "idle_heartbeat": int(self._options.heartbeat_seconds * _NANOSECONDS),
        }

    async def _take(self) -> Msg:
        if self._queue.empty():
            try:
                async with asyncio.timeout(2.5 * self._options.heartbeat_seconds):
                    message = await self._queue.get()
            except TimeoutError as error:
                raise ConsumerLost from error
        else:
            message = self._queue.get_nowait()
        if message is None:
            raise ConsumerLost
        return message

    async def _on_message(self, message: Msg) -> None:
        self._queue.put_nowait(message)
