"""Progress as text: a bar, and losses as a small curve. Pure."""

import math
from collections.abc import Sequence

BAR_CELLS = 16
CURVE_CELLS = 24
_FULL, _EMPTY = "▰", "▱"
_STEPS = "▁▂▃▄▅▆▇█"


def bar(fraction: float, *, num_cells: int = BAR_CELLS) -> str:
    """A bar with its percentage: `▰▰▰▱▱▱ 50%`.

    Args:
        fraction: what is done, from 0 to 1; beyond is cut off. It is rounded down: only the end is full.
        num_cells: length of the bar.
    """
    done = min(1.0, max(0.0, fraction)) if math.isfinite(fraction) else 0.0
    filled = math.floor(done * num_cells)
    return f"{_FULL * filled}{_EMPTY * (num_cells - filled)} {math.floor(done * 100)}%"


def sparkline(values: Sequence[float], *, num_cells: int = CURVE_CELLS) -> str:
    """The values from the oldest to the newest as blocks of eight heights; empty for fewer than two.

    Args:
        values: those that are no number, or infinite, are left out.
        num_cells: most blocks; more values are thinned out evenly, and the first and last always stay.
    """
    known = [value for value in values if math.isfinite(value)]
    if len(known) < 2:
        return ""
    shown = _thinned(known, num_cells)
    low, high = min(shown), max(shown)
    if not high - low > 0.0:
        return _STEPS[0] * len(shown)
    top = len(_STEPS) - 1
    # Divided before they are subtracted, since the difference of two very large numbers may be infinite.
    span = high / 2 - low / 2
    return "".join(_STEPS[min(top, round(top * ((value / 2 - low / 2) / span)))] for value in shown)


def _thinned(values: Sequence[float], num_cells: int) -> list[float]:
    if len(values) <= num_cells:
        return list(values)
    last = len(values) - 1
    return [values[round(at * last / (num_cells - 1))] for at in range(num_cells)]


class Curve:
    """Losses over a whole run in a bounded number of points: when it is full, every second one is forgotten."""

    def __init__(self, *, max_points: int = 64) -> None:
        self._max_points = max_points
        self._points: list[float] = []
        self._stride = 1
        self._num_skipped = 0

    def add(self, value: float) -> None:
        """Take one more value; some are left out, evenly over the run."""
        if not math.isfinite(value):
            return
        self._num_skipped += 1
        if self._num_skipped < self._stride:
            return
        self._num_skipped = 0
        self._points.append(value)
        if len(self._points) >= self._max_points:
            self._points = self._points[::2]
            self._stride *= 2

    @property
    def points(self) -> tuple[float, ...]:
        """What is kept, oldest first."""
        return tuple(self._points)
