"""Numbers in words: how long, how large, how good."""

import math

from notifier.messages import Fact

_KIB = 1024


def in_words(seconds: float) -> str:
    """A span: `0.4 s`, `12 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size_in_words(num_bytes: int) -> str:
    """A size: `512 B`, `3.1 MiB`."""
    size = float(num_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _KIB
    return f"{size:.1f} TiB"


def figures(*pairs: tuple[str, float]) -> list[Fact]:
    """Those of the numbers that are known."""
    return [Fact(name, f"{value:.4g}") for name, value in pairs if math.isfinite(value)]


def counts(*pairs: tuple[str, int]) -> list[Fact]:
    """Those of the counts that are known; 0 means not known."""
    return [Fact(name, f"{value:,}") for name, value in pairs if value > 0]


def words(*pairs: tuple[str, str]) -> list[Fact]:
    """Those of the texts that say anything."""
    return [Fact(name, value) for name, value in pairs if value]
