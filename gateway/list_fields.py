"""The sorts of field that an in-memory list can be filtered by."""

import fnmatch
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from gateway.projection.filter_syntax import Comparison, invalid_filter
from headway.contract.errors import InvalidFilter, echo

T = TypeVar("T")
In_contra = TypeVar("In_contra", contravariant=True)
Matcher = Callable[[T], bool]

_TEXT_COMPARATORS = ("=", "!=", ":")
_ORDERED: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Field(Protocol[In_contra]):
    """A field of a resource."""

    def compile(self, comparison: Comparison) -> Callable[[In_contra], bool]:
        """The comparison as a function of an entry.

        Raises:
            InvalidFilter: the field has no such comparator, or no such values.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextField(Generic[T]):
    """Text: equal, with `*` for any characters; or `:`, contains."""

    read: Callable[[T], str]

    def compile(self, comparison: Comparison) -> Matcher[T]:
        """See `Field`."""
        if comparison.comparator not in _TEXT_COMPARATORS:
            raise _wrong_comparator(comparison, _TEXT_COMPARATORS)
        value = comparison.value
        if comparison.comparator == ":":
            return lambda entry: bool(self.read(entry)) if value == "*" else value in self.read(entry)
        pattern = value.replace("[", "[[]").replace("?", "[?]")
        is_wanted = comparison.comparator == "="
        return lambda entry: fnmatch.fnmatchcase(self.read(entry), pattern) == is_wanted


@dataclass(frozen=True, slots=True)
class NumberField(Generic[T]):
    """A whole number."""

    read: Callable[[T], int]

    def compile(self, comparison: Comparison) -> Matcher[T]:
        """See `Field`."""
        compare = _comparator(comparison)
        try:
            value = int(comparison.value[:20])
        except ValueError:
            raise invalid_filter(
                f"{comparison.field} is a whole number, not {echo(comparison.value)}", "a whole number"
            ) from None
        return lambda entry: compare(self.read(entry), value)


@dataclass(frozen=True, slots=True)
class TimeField(Generic[T]):
    """A moment in UTC."""

    read: Callable[[T], datetime]

    def compile(self, comparison: Comparison) -> Matcher[T]:
        """See `Field`."""
        compare = _comparator(comparison)
        try:
            moment = datetime.fromisoformat(comparison.value)
        except ValueError:
            raise invalid_filter(
                f"{comparison.field} is a time, not {echo(comparison.value)}",
                "a quoted RFC 3339 time",
                '"2026-11-01T00:00:00Z"',
            ) from None
        value = microseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
        return lambda entry: compare(microseconds(self.read(entry)), value)


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


def _comparator(comparison: Comparison) -> Callable[[int, int], bool]:
    compare = _ORDERED.get(comparison.comparator)
    if compare is None:
        raise _wrong_comparator(comparison, tuple(_ORDERED))
    return compare


def _wrong_comparator(comparison: Comparison, allowed: tuple[str, ...]) -> InvalidFilter:
    return invalid_filter(
        f"{comparison.field} cannot be compared with {comparison.comparator}",
        f"{comparison.field} with one of {' '.join(allowed)}",
    )
