"""Ranges and defaults of the numbers in a spec, and how a number outside of its range is told."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headway.contract.errors import OutOfRange, Violation

_UNSIGNED_32_BITS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Bound:
    """Range and default of one number.

    Attributes:
        field: name in the proto.
        default: value of an absent field.
        allowed: the range in words.
        holds: whether a finite value is in range.
        suggest: the nearest value in range.
    """

    field: str
    default: float
    allowed: str
    holds: Callable[[float], bool]
    suggest: Callable[[float], float]


def closed(field: str, default: float, *, low: float, high: float) -> Bound:
    """A range that holds both of its ends."""
    return Bound(
        field,
        default,
        f"{low:g} to {high:g}" if high < _UNSIGNED_32_BITS else "0 to 4294967295",
        lambda value: low <= value <= high,
        lambda value: min(max(value, low), high),
    )


def not_finite(given: Mapping[str, float], bounds: Sequence[Bound], prefix: str) -> Iterator[Violation]:
    """The violations of numbers that are infinite or none, in the order of `bounds`.

    Args:
        given: the numbers that the caller chose, by field; a default is always in range.
        bounds: of the fields to look at.
        prefix: path of the message that has the fields.
    """
    for bound in bounds:
        if bound.field in given and not math.isfinite(given[bound.field]):
            yield _violation(given[bound.field], bound, prefix)


def out_of_bounds(given: Mapping[str, float], bounds: Sequence[Bound], prefix: str) -> Iterator[Violation]:
    """The violations of numbers outside of their range, in the order of `bounds`; arguments as for `not_finite`."""
    for bound in bounds:
        if bound.field in given and not bound.holds(given[bound.field]):
            yield _violation(given[bound.field], bound, prefix)


def raise_out_of_range(violations: Sequence[Violation]) -> None:
    """Raise OutOfRange with all the violations, if there is one."""
    if violations:
        raise OutOfRange("; ".join(str(violation) for violation in violations), violations=violations)


def _violation(value: float, bound: Bound, prefix: str) -> Violation:
    suggested = bound.suggest(value) if math.isfinite(value) else bound.default
    message = f"{_text(value)} is out of range"
    return Violation(f"{prefix}.{bound.field}", OutOfRange.reason, message, bound.allowed, _text(suggested))


def _text(value: float) -> str:
    """A number as it would be written into the field: whole ones with every digit, up to where they end to be exact."""
    return str(int(value)) if abs(value) < 2**53 and value == int(value) else f"{value:g}"
