import math

import pytest

from notifier.discord.bar import Curve, bar, sparkline


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.0, "▱▱▱▱ 0%"),
        (0.5, "▰▰▱▱ 50%"),
        (0.999, "▰▰▰▱ 99%"),
        (1.0, "▰▰▰▰ 100%"),
        (7.0, "▰▰▰▰ 100%"),
        (-1.0, "▱▱▱▱ 0%"),
        (math.nan, "▱▱▱▱ 0%"),
    ],
)
def test_a_bar_is_full_only_at_the_end(fraction: float, shown: str) -> None:
    assert bar(fraction, num_cells=4) == shown


def test_a_curve_goes_from_the_oldest_to_the_newest() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([1.0]) == ""
    assert sparkline([math.nan, 1.0, math.inf, 2.0]) == "▁█"
    assert sparkline([-1.7e308, 1.7e308]) == "▁█"


def test_a_long_curve_is_thinned_out_between_its_ends() -> None:
    shown = sparkline([float(value) for value in range(1000)], num_cells=10)
    assert len(shown) == 10
    assert (shown[0], shown[-1]) == ("▁", "█")


def test_what_is_kept_of_a_curve_is_bounded_and_spans_the_whole_run() -> None:
    curve = Curve(max_points=16)
    for value in range(100_000):
        curve.add(float(value))
    curve.add(math.nan)
    assert len(curve.points) < 16
    assert curve.points[0] == 0.0
    assert curve.points[-1] > 80_000
