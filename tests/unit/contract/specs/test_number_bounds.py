"""Ranges of numbers: their ends, and what is said about a number outside."""

import math

import pytest

from headway.contract.errors import OutOfRange
from headway.contract.specs.number_bounds import Bound, closed, not_finite, out_of_bounds, raise_out_of_range

HALF = closed("half", 0.5, low=0, high=1)
WHOLE = closed("whole", 7, low=1, high=500)
SEED = closed("seed", 42, low=0, high=2**32 - 1)
OPEN = Bound("open", 0.2, "above 0 and below 1", lambda value: 0 < value < 1, lambda _: 0.2)


@pytest.mark.parametrize(
    ("bound", "value", "suggested"),
    [(HALF, 1.5, "1"), (HALF, -1, "0"), (WHOLE, 0, "1"), (OPEN, 1, "0.2"), (SEED, 2**32, "4294967295")],
)
def test_a_number_outside_is_told_with_its_range_and_the_nearest_inside(
    bound: Bound, value: float, suggested: str
) -> None:
    (violation,) = out_of_bounds({bound.field: value}, [bound], "p")
    assert (violation.field, violation.suggested) == (f"p.{bound.field}", suggested)
    assert violation.allowed == bound.allowed
    assert violation.message.startswith(f"{value} is out of range")


@pytest.mark.parametrize(("bound", "value"), [(HALF, 0), (HALF, 1), (WHOLE, 1), (WHOLE, 500), (SEED, 2**32 - 1)])
def test_both_ends_of_a_closed_range_are_inside(bound: Bound, value: float) -> None:
    assert not list(out_of_bounds({bound.field: value}, [bound], "p"))


def test_a_range_up_to_a_large_number_is_written_out() -> None:
    assert SEED.allowed == "0 to 4294967295"
    assert HALF.allowed == "0 to 1"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_with_the_default(value: float) -> None:
    (violation,) = not_finite({"whole": value}, [HALF, WHOLE], "p")
    assert (violation.field, violation.suggested) == ("p.whole", "7")


def test_violations_come_in_the_order_of_the_bounds_and_absent_fields_are_in_range() -> None:
    given = {"open": 2.0, "half": 2.0}
    assert [one.field for one in out_of_bounds(given, [HALF, WHOLE, OPEN], "p")] == ["p.half", "p.open"]


def test_nothing_is_raised_for_nothing() -> None:
    raise_out_of_range([])
    with pytest.raises(OutOfRange, match=r"p\.half") as caught:
        raise_out_of_range(list(out_of_bounds({"half": 3.0}, [HALF], "p")))
    assert len(caught.value.violations) == 1
