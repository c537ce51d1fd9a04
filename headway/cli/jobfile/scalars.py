"""One written value to one field of a message, or the reason why not."""

import math
import re
from datetime import UTC, datetime, timedelta

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from headway.cli.jobfile.faults import nearest
from headway.cli.jobfile.tree import Scalar, ScalarKind, describe

Value = str | int | float | bool | bytes

_WHOLE = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)\s*)+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class NotThatType(Exception):
    """A value does not fit its field."""

    def __init__(self, message: str, allowed: str = "", suggested: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed
        self.suggested = suggested


def convert(scalar: Scalar, field: FieldDescriptor) -> Value:
    """The value for a scalar field.

    Raises:
        NotThatType: it is none of the field's type; says what may stand there.
    """
    if field.type == FieldDescriptor.TYPE_STRING:
        return scalar.text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _truth(scalar)
    if field.type in _WHOLE:
        return _whole(scalar, *_WHOLE[field.type])
    if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
        return _real(scalar)
    if field.enum_type is not None:
        return _enum_number(scalar, field.enum_type)
    raise NotThatType("this field cannot be written in a file")


def enum_words(enum: EnumDescriptor) -> dict[str, int]:
    """The short, lower-case names of an enum's values: EXECUTION_MODE_HOST is `host`; the unspecified one has none."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number != 0}


def duration(scalar: Scalar) -> timedelta:
    """A duration: a number of seconds, or parts such as `90s`, `10m`, `1h 30m`, `2d`."""
    if scalar.kind in {ScalarKind.WHOLE, ScalarKind.REAL}:
        seconds = _real(scalar)
    elif _DURATION.fullmatch(scalar.text.strip()):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(scalar.text))
    else:
        raise NotThatType(f"{describe(scalar)} is no duration", "seconds, or parts such as 90s, 10m, 1h 30m")
    if seconds < 0 or seconds > timedelta(days=3650).total_seconds():
        raise NotThatType(f"{scalar.text} is no sensible duration", "0 s to 10 years")
    return timedelta(seconds=seconds)


def timestamp(scalar: Scalar) -> datetime:
    """A time in ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(scalar.text)
    except ValueError:
        raise NotThatType(f"{describe(scalar)} is no time", "ISO 8601, such as 2026-11-01T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _truth(scalar: Scalar) -> bool:
    found = _TRUTHS.get(scalar.text.lower())
    if found is None:
        raise NotThatType(f"{describe(scalar)} is neither true nor false", "true or false")
    return found


def _whole(scalar: Scalar, least: int, most: int) -> int:
    text = scalar.text.replace("_", "")
    try:
        number = float(text)
    except ValueError:
        raise NotThatType(f"{describe(scalar)} is no number", "a whole number") from None
    if not math.isfinite(number) or not number.is_integer():
        suggested = str(round(number)) if math.isfinite(number) else ""
        raise NotThatType(f"{scalar.text} is no whole number", "a whole number", suggested)
    exact = int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number)
    if not least <= exact <= most:
        raise NotThatType(f"{scalar.text} does not fit", f"{least} to {most}")
    return exact


def _real(scalar: Scalar) -> float:
    if scalar.kind in {ScalarKind.TRUTH, ScalarKind.EMPTY}:
        raise NotThatType(f"{describe(scalar)} is no number", "a number")
    try:
        # YAML 1.1 takes 1e-3 for a text, and .inf and .nan for numbers.
        return float(scalar.text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise NotThatType(f"{describe(scalar)} is no number", "a number") from None


def _enum_number(scalar: Scalar, enum: EnumDescriptor) -> int:
    words = enum_words(enum)
    long_names = {value.name.lower(): value.number for value in enum.values}
    text = scalar.text.strip().lower()
    number = words.get(text, long_names.get(text))
    if number is None:
        raise NotThatType(f"{describe(scalar)} is not known", ", ".join(words), nearest(text, words))
    return number
