"""Filter, order and pages of lists that fit in memory. The grammar and the tokens are those of the job list."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from gateway.list_fields import Field, Matcher, TimeField, microseconds
from gateway.projection.filter_syntax import Comparison, Junction, Negation, Node, invalid_filter, parse_filter
from gateway.projection.page_token import Cursor, bind, read_token, write_token
from headway.contract.errors import InvalidFilter, OutOfRange, Violation, echo
from headway.contract.limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """How a sort of resource is listed.

    Attributes:
        plural: what the resources are called in errors.
        id_field: name of the field that identifies one within its project; the first order, and every tie-break.
        read_id: reads it.
        fields: each field that can be filtered by; the times among them can be ordered by.
    """

    plural: str
    id_field: str
    read_id: Callable[[T], str]
    fields: Mapping[str, Field[T]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list call asks for, as it came."""

    parent: str
    page_size: int
    page_token: str
    filter: str
    order_by: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes:
        entries: at most as many as asked for.
        next_page_token: empty on the last page.
    """

    entries: Sequence[T]
    next_page_token: str


def list_page(listed: Listed[T], entries: Iterable[T], asked: Asked) -> Page[T]:
    """One page of the entries that match.

    Raises:
        InvalidFilter: filter or order_by cannot be read.
        InvalidPageToken: not a token of the same list.
        OutOfRange: a negative page_size.
    """
    read_time, is_descending = _order(listed, asked.order_by)
    binding = bind(listed.plural, asked.parent, asked.filter, asked.order_by)
    after = read_token(binding, asked.page_token) if asked.page_token else None
    matches = matcher(listed, asked.filter)

    def place(entry: T) -> tuple[int, str]:
        return 0 if read_time is None else microseconds(read_time(entry)), listed.read_id(entry)

    found = sorted((entry for entry in entries if matches(entry)), key=place, reverse=is_descending)
    if after is not None:
        last = (*after.order_values, after.job_id)
        found = [entry for entry in found if (place(entry) < last if is_descending else place(entry) > last)]
    size = _page_size(asked.page_size)
    page = found[:size]
    token = write_token(binding, _cursor(*place(page[-1]))) if len(found) > size else ""
    return Page(page, token)


def _cursor(order_value: int, entry_id: str) -> Cursor:
    return Cursor((order_value,), entry_id)


def matcher(listed: Listed[T], filter_text: str) -> Matcher[T]:
    """The filter as a function of an entry.

    Raises:
        InvalidFilter: it cannot be read, or names a field or a value that does not fit.
    """
    node = parse_filter(filter_text)
    return (lambda _: True) if node is None else _compile(listed, node)


def _compile(listed: Listed[T], node: Node) -> Matcher[T]:
    match node:
        case Comparison():
            return _compare(listed, node)
        case Negation(part):
            inner = _compile(listed, part)
            return lambda entry: not inner(entry)
        case Junction(word, parts):
            inners = [_compile(listed, part) for part in parts]
            if word == "OR":
                return lambda entry: any(one(entry) for one in inners)
            return lambda entry: all(one(entry) for one in inners)


def _compare(listed: Listed[T], comparison: Comparison) -> Matcher[T]:
    field = listed.fields.get(comparison.field)
    if field is not None:
        return field.compile(comparison)
    close = difflib.get_close_matches(comparison.field, listed.fields, n=1)
    raise invalid_filter(
        f"{listed.plural} cannot be filtered by {echo(comparison.field)}", f"one of {', '.join(listed.fields)}", *close
    )


def _order(listed: Listed[T], text: str) -> tuple[Callable[[T], datetime] | None, bool]:
    """How to read the time that the list is ordered by (None: by id), and whether the greatest comes first."""
    words = text.split() or [listed.id_field]
    times = {name: field.read for name, field in listed.fields.items() if isinstance(field, TimeField)}
    direction = words[1].lower() if len(words) > 1 else "asc"
    if (words[0] == listed.id_field or words[0] in times) and direction in {"asc", "desc"} and len(words) <= 2:
        return times.get(words[0]), direction == "desc"
    message = f"cannot order by {echo(text)}"
    allowed = f"one of {', '.join([listed.id_field, *times])}, optionally followed by desc"
    raise InvalidFilter(message, violations=[Violation("order_by", InvalidFilter.reason, message, allowed)])


def _page_size(asked: int) -> int:
    if asked < 0:
        message = f"page_size is {asked}"
        raise OutOfRange(
            message, violations=[Violation("page_size", OutOfRange.reason, message, f"0 to {PAGE_SIZE_MAX}")]
        )
    return min(asked or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
