"""Posts messages to a program of the user's own, signed as the Standard Webhooks specification says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from headway.runtime.clock import Clock
from notifier.happening import Happening
from notifier.messages import Message
from notifier.sinks import SinkShut, SinkUnavailable
from notifier.webhook.answers import fault_of
from notifier.webhook.body import body_of

_AGENT = "headway"


class WebhookSink:
    """See `Sink` for the contract. The nonce of a message is its `webhook-id`: a repeat has the same one."""

    def __init__(self, session: aiohttp.ClientSession, url: SecretStr, secret: SecretStr, clock: Clock) -> None:
        """Args: session: see `open_webhook_sink`. url: where to post. secret: what signs. clock: for the signature."""
        self._session = session
        self._url = url
        self._signature = Webhook(secret.get_secret_value())
        self._clock = clock

    @property
    def name(self) -> str:
        """For logs."""
        return "webhook"

    def wants(self, happening: Happening) -> bool:
        """Everything: a program can leave out what it does not need."""
        del happening
        return True

    async def send(self, message: Message) -> None:
        """Post once; see `Sink.send`."""
        body = body_of(message)
        try:
            status, retry_after = await self._post(body, self._headers(message.nonce, body))
        except aiohttp.ClientConnectorError as error:
            # Its text holds the address, which may be a secret.
            raise SinkUnavailable(f"the receiver cannot be reached ({type(error).__name__})") from None
        except aiohttp.InvalidURL:
            raise SinkShut("the address cannot be posted to", remedy="correct notifier.webhook.url") from None
        except (TimeoutError, aiohttp.ClientError) as error:
            raise SinkUnavailable(f"no answer ({type(error).__name__})", may_have_arrived=True) from None
        if fault := fault_of(status, retry_after, now=self._clock.now()):
            raise fault

    async def _post(self, body: str, headers: dict[str, str]) -> tuple[int, str]:
        url = self._url.get_secret_value()
        async with self._session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer:
            # The body is not read: nothing in it counts, and it may be of any length.
            return answer.status, answer.headers.get("Retry-After", "")

    def _headers(self, nonce: str, body: str) -> dict[str, str]:
        now = self._clock.now()
        return {
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            "webhook-id": nonce,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signature.sign(nonce, now, body),
        }


@asynccontextmanager
async def open_webhook_sink(
    url: SecretStr, secret: SecretStr, clock: Clock, *, limit_seconds: float
) -> AsyncIterator[WebhookSink]:
    """The sink with its connections, for the length of the block.

    Args:
        url: where to post.
        secret: whsec_ and base64.
        clock: for the time in the signature.
        limit_seconds: how long one delivery may take, from the connection to the answer.
    """
    timeout = aiohttp.ClientTimeout(total=limit_seconds)
    connector = aiohttp.TCPConnector(limit=1)
    cookies = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=cookies) as session:
        yield WebhookSink(session, url, secret, clock)
