"""Sets fields of a message by name, for builders of tests whose callers name only what they care about."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def with_fields(message: M, changes: Mapping[str, object]) -> M:
    """The message itself, with these fields replaced; a wrong name or type raises as protobuf does.

    Args:
        message: changed in place.
        changes: value by field name; lists and maps replace what was there.
    """
    for name, value in changes.items():
        message.ClearField(name)
        if isinstance(value, Message):
            getattr(message, name).CopyFrom(value)
        elif isinstance(value, dict):
            getattr(message, name).update(value)
        elif isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message
