"""Asks a nats-server by its monitoring port whether it is healthy, and whether an acknowledgement means "on disk".

A nats-server whose disk refused a write or an fsync acknowledges nothing on that stream any more, and answers nothing
either: those who publish wait for ever. It does not come back by itself when there is room again, only by a restart,
and then with everything that it had acknowledged. What ails it stands at `/healthz`, and nowhere else.
"""

import asyncio
import urllib.error
import urllib.request
from enum import Enum
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from headway.contract.errors import NotDurable, StoreUnavailable

_LIMIT_SECONDS = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WRITE_ERROR = "write error"
_NO_SPACE = ("no space left on device", "disk quota exceeded", "file too large")
_REMEDY = "set `sync_interval: always` in the jetstream block of its configuration and restart it"


class Ailment(Enum):
    """What keeps a nats-server from storing, until it is restarted."""

    NO_ROOM = "its disk is full"
    FAILING_DISK = "its disk failed a write or an fsync"


class _Health(BaseModel):
    model_config = ConfigDict(extra="ignore")
    error: str = ""


class _JetStreamConfig(BaseModel):
    model_config = ConfigDict(extra="ignore")
    sync_always: bool = False
    store_dir: str = ""


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
    config = await _config(monitor_url)
    if config is None:
        raise NotDurable("nats-server runs without JetStream; add a jetstream block with `sync_interval: always`")
    if not config.sync_always:
        raise NotDurable(f"nats-server acknowledges writes before they are on disk; {_REMEDY}")


async def find_ailment(monitor_url: str) -> Ailment | None:
    """Why the server stores nothing although it runs; None when it stores, is starting, or does not answer."""
    try:
        await asyncio.to_thread(_read, f"{monitor_url}/healthz")
    except StoreUnavailable as error:
        return ailment_of(_body_of(error))
    return None


def ailment_of(health: bytes) -> Ailment | None:
    """What the body of `/healthz` says about writes."""
    try:
        text = _Health.model_validate_json(health).error.lower()
    except ValidationError:
        return None
    if _WRITE_ERROR not in text:
        return None
    # There is no number of it in the answer: these are Go's own words for ENOSPC, EDQUOT and EFBIG.
    return Ailment.NO_ROOM if any(words in text for words in _NO_SPACE) else Ailment.FAILING_DISK


async def store_folder(monitor_url: str) -> Path | None:
    """Where a server of this machine keeps its streams; None when it runs elsewhere, or out of sight.

    Raises:
        StoreUnavailable: the monitoring port does not answer.
    """
    if urlsplit(monitor_url).hostname not in _LOOPBACK:
        return None
    config = await _config(monitor_url)
    if config is None or not config.store_dir:
        return None
    folder = Path(config.store_dir)
    return folder if await asyncio.to_thread(folder.is_dir) else None


async def _config(monitor_url: str) -> _JetStreamConfig | None:
    body = await asyncio.to_thread(_read, f"{monitor_url}/varz")
    try:
        return _Variables.model_validate_json(body).jetstream.config
    except ValidationError as error:
        raise StoreUnavailable(f"{monitor_url} is not the monitoring port of a nats-server") from error


def _body_of(error: StoreUnavailable) -> bytes:
    """What the server said beside its refusal; empty when it said nothing."""
    cause = error.__cause__
    if not isinstance(cause, urllib.error.HTTPError):
        return b""
    with cause:
        body: bytes = cause.read()
        return body


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_LIMIT_SECONDS) as response:  # noqa: S310 - our own setting
            body: bytes = response.read()
            return body
    except (OSError, HTTPException, urllib.error.URLError) as error:
        raise StoreUnavailable(f"{url} does not answer; is the monitoring port (http:) of nats-server open?") from error
