"""A program that takes webhooks, on loopback: verifies signatures, keeps what it gets, and fails when told to."""

import asyncio
import base64
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver says to one request.

    Attributes:
        status: of the answer.
        headers: further headers, such as Retry-After.
        body: of the answer.
        is_hang: no answer at all, for as long as the caller waits.
        is_reset: the connection is cut off instead.
        is_processed: whether the receiver has done its work all the same, as one does that fails afterwards.
    """

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    is_hang: bool = False
    is_reset: bool = False
    is_processed: bool = False


OK = Answer(is_processed=True)
"""What it says unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request.

    Attributes:
        webhook_id: of its header; a repeat has the same one.
        content: the body as JSON.
        answer: what was said to it.
    """

    webhook_id: str
    content: dict[str, Json]
    answer: Answer

    @property
    def event_ids(self) -> list[str]:
        """Of every event in it, in order."""
        sections = self.content["sections"]
        assert isinstance(sections, list)  # noqa: S101 - a double may be strict
        return [event_id for section in sections for event_id in _event_ids(section)]


class WebhookReceiver:
    """Made by `webhook_receiver`.

    Attributes:
        url: where to post.
        secret: what signs; whsec_ and base64.
        answers: what to say next, one for each request; `OK` when there are none.
        always: said to every request behind those, until it is changed.
        deliveries: every genuine request, in order.
        num_forged: requests whose signature was not right.
    """

    def __init__(self) -> None:
        self.url = ""
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.answers: deque[Answer] = deque()
        self.always = OK
        self.deliveries: list[Delivery] = []
        self.num_forged = 0
        self._released = asyncio.Event()

    @property
    def processed(self) -> list[Delivery]:
        """Requests that it has done its work for, repeats included."""
        return [delivery for delivery in self.deliveries if delivery.answer.is_processed]

    @property
    def event_ids(self) -> list[str]:
        """Of every event that it has worked on, as a program does that drops repeats by webhook-id; in order."""
        first = {delivery.webhook_id: delivery for delivery in reversed(self.processed)}
        return [event_id for delivery in reversed(first.values()) for event_id in delivery.event_ids]

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        body = await request.text()
        try:
            Webhook(self.secret).verify(body, dict(request.headers), json_parse=False)
        except WebhookVerificationError:
            self.num_forged += 1
            return web.Response(status=401)
        answer = self.answers.popleft() if self.answers else self.always
        self.deliveries.append(Delivery(request.headers["webhook-id"], json.loads(body), answer))
        if answer.is_hang:
            await self._released.wait()
        if answer.is_reset and request.transport is not None:
            request.transport.abort()
        return web.Response(status=answer.status, headers=answer.headers, text=answer.body)

    def release(self) -> None:
        """Answer what hangs."""
        self._released.set()


@asynccontextmanager
async def webhook_receiver(port: int = 0) -> AsyncIterator[WebhookReceiver]:
    """A receiver for the length of the block.

    Args:
        port: to listen on; 0 for any free one.
    """
    receiver = WebhookReceiver()
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        receiver.release()
        await runner.cleanup()


def _event_ids(section: Json) -> list[str]:
    assert isinstance(section, dict)  # noqa: S101 - as above
    earlier = section["earlier"]
    assert isinstance(earlier, list)  # noqa: S101 - as above
    found = [entry["event_id"] for entry in [*earlier, section] if isinstance(entry, dict)]
    return [event_id for event_id in found if isinstance(event_id, str)]
