"""Times, spans and speeds as people type them; pure."""

import math
import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)x?", re.ASCII)
_LONGEST = timedelta(days=3650)
_MAX_SPEED = 1e6

AT_ONCE = math.inf
"""The speed that waits for nothing."""


def parse_span(text: str) -> timedelta:
    """A span such as `90s`, `10m`, `1h30m` or `3d`.

    Raises:
        ValueError: it is none, or it is longer than ten years; the message says what is allowed.
    """
    if not _SPAN.fullmatch(text):
        raise ValueError(f"'{text[:64]}' is no span of time; write 90s, 10m, 2h, 1h30m, 3d or 1w")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"'{text[:64]}' is longer than ten years")
    return timedelta(seconds=seconds)


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that `--since` names: so long ago, or a time with its time zone.

    Args:
        text: a span, or a time as RFC 3339 writes it.
        now: in UTC.

    Raises:
        ValueError: it is neither, has no time zone, or lies in the future; the message says what to write.
    """
    if _SPAN.fullmatch(text):
        return now - parse_span(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text[:64]}' is no time; write how long ago (90s, 10m, 2h, 3d) or a time (2026-11-22T10:00:00Z)"
        ) from None
    if moment.tzinfo is None:
        complete = text if "T" in text or " " in text else f"{text}T00:00:00"
        raise ValueError(f"'{text}' names no time zone; write {complete}Z for UTC, or {complete}+01:00")
    if moment > now:
        raise ValueError(f"'{text}' lies in the future")
    return moment.astimezone(UTC)


def parse_speed(text: str) -> float:
    """How many times as fast: `50x`, `50`, `0.5x`, or `max` for AT_ONCE.

    Raises:
        ValueError: it is none of these; the message says what to write.
    """
    if text == "max":
        return AT_ONCE
    found = _SPEED.fullmatch(text)
    speed = float(found.group(1)) if found else 0.0
    if not 0 < speed <= _MAX_SPEED:
        raise ValueError(f"'{text[:64]}' is no speed; write 1x, 50x, 0.5x or max")
    return speed
