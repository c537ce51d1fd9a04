"""Asks a nats-server by its monitoring port whether it is healthy, and whether an acknowledgement means "on disk"."""

import asyncio
import urllib.error
import urllib.request
from http.client import HTTPException

from pydantic import BaseModel, ConfigDict, ValidationError

from headway.contract.errors import NotDurable, StoreUnavailable

_LIMIT_SECONDS = 5.0
_REMEDY = "set `sync_interval: always` in the jetstream block of its configuration and restart it"


class _JetStreamConfig(BaseModel):
    model_config = ConfigDict(extra="ignore")
    sync_always: bool = False


class _JetStream(BaseModel):
    model_config = ConfigDict(extra="ignore")
    config: _JetStreamConfig | None = None


class _Variables(BaseModel):
    model_config = ConfigDict(extra="ignore")
    jetstream: _JetStream = _JetStream()


async def is_healthy(monitor_url: str) -> bool:
    """Whether the server is up and has recovered every stream."""
    try:
        await asyncio.to_thread(_read, f"{monitor_url}/healthz")
    except StoreUnavailable:
        return False
    return True


async def check_durable(monitor_url: str) -> None:
    """Make sure that the server acknowledges a write only after it is on disk.

    Args:
        monitor_url: such as `http://127.0.0.1:8222`.

    Raises:
        NotDurable: it does not, with the remedy.
        StoreUnavailable: the monitoring port does not answer, so nothing is known.
    """
    body = await asyncio.to_thread(_read, f"{monitor_url}/varz")
    try:
        config = _Variables.model_validate_json(body).jetstream.config
    except ValidationError as error:
        raise StoreUnavailable(f"{monitor_url} is not the monitoring port of a nats-server") from error
    if config is None:
        raise NotDurable("nats-server runs without JetStream; add a jetstream block with `sync_interval: always`")
    if not config.sync_always:
        raise NotDurable(f"nats-server acknowledges writes before they are on disk; {_REMEDY}")


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT_SECONDS) as response:  # noqa: S310 - our own setting
            body: bytes = response.read()
            return body
    except (OSError, HTTPException, urllib.error.URLError) as error:
        raise StoreUnavailable(f"{url} does not answer; is the monitoring port (http:) of nats-server open?") from error
