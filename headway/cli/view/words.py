"""Times, sizes and numbers as people read them."""

import math
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

BLOCKS = "▁▂▃▄▅▆▇█"


def local_time(stamp: Timestamp) -> str:
    """A time of the local clock, `2026-11-22 14:05:09`; empty for an unset one."""
    if stamp.seconds == 0 and stamp.nanos == 0:
        return ""
    return f"{stamp.ToDatetime(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def clock_time(stamp: Timestamp) -> str:
    """Only the time of day."""
    return local_time(stamp)[11:]


def age(stamp: Timestamp, now: datetime) -> str:
    """How long ago, in its two largest units: `3m 12s`; empty for an unset time."""
    if stamp.seconds == 0:
        return ""
    return span(now.timestamp() - stamp.ToSeconds())


def between(start: Timestamp, end: Timestamp) -> str:
    """The time from start to end; empty when one is unset."""
    if start.seconds == 0 or end.seconds == 0:
        return ""
    return span((end.ToNanoseconds() - start.ToNanoseconds()) / 1e9)


def duration_text(duration: Duration) -> str:
    """A duration in its two largest units; empty for none."""
    seconds = duration.seconds + duration.nanos / 1e9
    return span(seconds) if seconds else ""


def span(seconds: float) -> str:
    """`0.4s`, `12s`, `3m 12s`, `2h 5m`, `3d 4h`."""
    if seconds < 0:
        return "0s"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    units = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
    parts = [f"{whole // size % limit}{name}" for (size, name), limit in zip(units, (10**6, 24, 60, 60), strict=True)]
    first = next(index for index, (size, _) in enumerate(units) if whole >= size)
    return " ".join(part for part in parts[first : first + 2] if not part.startswith("0"))


def size_text(num_bytes: int) -> str:
    """`512 B`, `1.4 KiB`, `3.2 MiB`."""
    if num_bytes < 1024:
        return f"{num_bytes} B"
    value = float(num_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def number_text(value: float) -> str:
    """A metric in four digits; `-` for NaN."""
    if math.isnan(value):
        return "-"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def sparkline(values: list[float], width: int = 20) -> str:
    """The last values as a row of blocks, lowest to highest; what is not finite is a blank."""
    shown = values[-width:]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((value - low) * scale)] if math.isfinite(value) else " " for value in shown)
