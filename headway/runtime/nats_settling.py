"""Waits until nats-server has carried out what was sent to it."""

from nats.aio.client import Client


async def settle(client: Client) -> None:
    """Return when the server has carried out everything that was sent before, subscriptions above all.

    One `flush` of nats-py is not enough: it writes its PING at once, past commands that still wait for their turn, so
    that the server may answer it before it knows of a subscription. By then those commands are written, and a second
    one is behind them.

    Raises:
        nats.errors.FlushTimeoutError: no answer within the library's ten seconds.
    """
    await client.flush()
    await client.flush()
