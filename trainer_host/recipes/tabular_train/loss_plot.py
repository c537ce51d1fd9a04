"""The loss plot of a bundle, as a small SVG written by hand: a plotting library would take longer than the training."""

from collections.abc import Sequence

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 40, 40
_NUM_TICKS = 5
_COLOURS = {"train": "#1f77b4", "validation": "#d62728"}

Series = Sequence[tuple[int, float]]


def draw_losses(series: dict[str, Series], best_epoch: int) -> str:
    """The plot.

    Args:
        series: epoch and loss by name, `train` or `validation`; finite values only.
        best_epoch: marked by a line.
    """
    values = [loss for points in series.values() for _, loss in points] or [0.0]
    last_epoch = max((epoch for points in series.values() for epoch, _ in points), default=1)
    low, high = min(*values, 0.0), max(values)
    frame = _Frame(last_epoch, low, high if high > low else low + 1.0)
    parts = [_header(), *_grid(frame), _best_line(frame, best_epoch)]
    parts += [_curve(frame, name, points) for name, points in series.items() if points]
    parts += [_legend(place, name) for place, name in enumerate(name for name, points in series.items() if points)]
    return "\n".join([*parts, "</svg>", ""])


class _Frame:
    """Turns epochs and losses into positions."""

    def __init__(self, last_epoch: int, low: float, high: float) -> None:
        self.last_epoch = max(last_epoch, 2)
        self.low = low
        self.high = high

    def x(self, epoch: float) -> str:
        share = (epoch - 1) / (self.last_epoch - 1)
        return f"{_LEFT + share * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, loss: float) -> str:
        share = (loss - self.low) / (self.high - self.low)
        return f"{HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM):.1f}"


def _header() -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f'<text x="{WIDTH // 2}" y="{HEIGHT - 8}" text-anchor="middle">epoch</text>'
    )


def _grid(frame: _Frame) -> list[str]:
    lines = []
    for tick in range(_NUM_TICKS):
        share = tick / (_NUM_TICKS - 1)
        loss = frame.low + share * (frame.high - frame.low)
        epoch = 1 + share * (frame.last_epoch - 1)
        y = frame.y(loss)
        lines += [
            f'<line x1="{_LEFT}" y1="{y}" x2="{WIDTH - _RIGHT}" y2="{y}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{loss:.3g}</text>',
            f'<text x="{frame.x(epoch)}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{epoch:.0f}</text>',
        ]
    return lines


def _best_line(frame: _Frame, best_epoch: int) -> str:
    x = frame.x(max(best_epoch, 1))
    return f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{HEIGHT - _BOTTOM}" stroke="#888" stroke-dasharray="4 4"/>'


def _curve(frame: _Frame, name: str, points: Series) -> str:
    path = " ".join(f"{frame.x(epoch)},{frame.y(loss)}" for epoch, loss in points)
    return f'<polyline fill="none" stroke="{_COLOURS[name]}" stroke-width="1.5" points="{path}"/>'


def _legend(place: int, name: str) -> str:
    x = _LEFT + 120 * place
    return (
        f'<rect x="{x}" y="14" width="12" height="12" fill="{_COLOURS[name]}"/>'
        f'<text x="{x + 18}" y="24">{name} loss</text>'
    )
