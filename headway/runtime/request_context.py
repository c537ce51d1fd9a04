"""The id of the request that is being handled, for logs, errors and calls to other services."""

import secrets
from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the call that is being handled; empty outside a call."""
    return _request_id.get()


def set_request_id(request_id: str) -> None:
    """Make `request_id` current for the rest of this task."""
    _request_id.set(request_id)


def new_request_id() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return secrets.token_hex(16)
