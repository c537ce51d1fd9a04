"""The id of the request that is being handled, for logs, errors and calls to other services."""

import random
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
    # An id, no secret: asking the system for entropy is a system call for every call served.
    return f"{random.getrandbits(128):032x}"
