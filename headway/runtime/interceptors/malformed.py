"""Requests whose bytes are no message of their type.

The library parses before any handler runs and would answer with a leaking INTERNAL. Here a failed parse leaves a mark
in the call's context and an empty message in its place; the mark is answered once the caller is let in.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from headway.contract.errors import MalformedRequest

Request = TypeVar("Request")

_is_malformed: ContextVar[bool] = ContextVar("is_malformed", default=False)


def marking(parse: Callable[[bytes], Request] | None) -> Callable[[bytes], Request] | None:
    """The parser, with a mark instead of an exception. It runs in the task of the call, so the mark is the call's."""
    if parse is None:
        return None

    def parse_or_mark(data: bytes) -> Request:
        try:
            return parse(data)
        except Exception:  # noqa: BLE001 - a parser may raise anything on foreign bytes
            _is_malformed.set(True)
            return parse(b"")

    return parse_or_mark


def refuse_malformed() -> None:
    """Answer the mark.

    Raises:
        MalformedRequest: a message of this call could not be parsed.
    """
    if _is_malformed.get():
        raise MalformedRequest("The bytes are not a message of this method's request type.")
