"""Turns a list filter into one parameterised SQL condition; no text of a caller ever becomes SQL."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from gateway.projection.filter_syntax import Comparison, Junction, Negation, Node, invalid_filter, parse_filter
from gateway.projection.rows import INTERNAL_PREFIX, TAG_SEPARATOR
from headway.contract.errors import echo
from headway.contract.kinds import INTERNAL_KINDS
from headway.v1.job_specs_pb2 import ExecutionMode
from headway.v1.jobs_pb2 import JobState

Argument = int | str

_EQUALITY = ("=", "!=", ":")
_ORDERED = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Condition:
    """What follows WHERE.

    Attributes:
        sql: our own words and `?` only.
        arguments: a value for each `?`.
    """

    sql: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    comparators: tuple[str, ...]
    compile: Callable[[Comparison], Condition]


def condition_for(project: str, filter_text: str) -> Condition:
    """The jobs of a project that match a filter; internal ones only where it names their kind.

    Raises:
        InvalidFilter: the filter cannot be read, names an unknown field, or compares a field with a value of another
            type.
    """
    node = parse_filter(filter_text)
    mine = Condition("project = ?", (project,))
    if node is None:
        return mine
    if _names_internal(node):
        mine = Condition("project IN (?, ?)", (project, INTERNAL_PREFIX + project))
    return _join("AND", [mine, _compile(node)])


def _names_internal(node: Node) -> bool:
    match node:
        case Comparison():
            return node.field == "kind" and node.comparator != "!=" and node.value in INTERNAL_KINDS
        case Negation(part):
            return _names_internal(part)
        case Junction(_, parts):
            return any(_names_internal(part) for part in parts)


def _compile(node: Node) -> Condition:
    match node:
        case Comparison():
            return _compare(node)
        case Negation(part):
            inner = _compile(part)
            return Condition(f"NOT ({inner.sql})", inner.arguments)
        case Junction(word, parts):
            return _join(word, [_compile(part) for part in parts])


def _join(word: str, conditions: list[Condition]) -> Condition:
    sql = f" {word} ".join(f"({condition.sql})" for condition in conditions)
    return Condition(sql, tuple(argument for condition in conditions for argument in condition.arguments))


def _compare(comparison: Comparison) -> Condition:
    field = _FIELDS.get(comparison.field)
    if field is None:
        close = difflib.get_close_matches(comparison.field, _FIELDS, n=1)
        raise invalid_filter(
            f"jobs cannot be filtered by {echo(comparison.field)}", f"one of {', '.join(_FIELDS)}", *close
        )
    if comparison.comparator not in field.comparators:
        raise invalid_filter(
            f"{comparison.field} cannot be compared with {comparison.comparator}",
            f"{comparison.field} with one of {' '.join(field.comparators)}",
        )
    return field.compile(comparison)


def _text(comparison: Comparison) -> Condition:
    column, value = comparison.field, comparison.value
    if comparison.comparator == ":":
        return Condition(f"{column} != ''", ()) if value == "*" else Condition(f"instr({column}, ?) > 0", (value,))
    negated = "NOT " if comparison.comparator == "!=" else ""
    if "*" in value:
        return Condition(f"{negated}{column} GLOB ?", (_glob(value),))
    return Condition(f"{negated}{column} = ?", (value,))


def _glob(value: str) -> str:
    return value.replace("[", "[[]").replace("?", "[?]")


def _host(comparison: Comparison) -> Condition:
    value = comparison.value
    is_bare = comparison.comparator != ":" and value and not value.startswith("hosts/")
    return _text(Comparison("host", comparison.comparator, f"hosts/{value}" if is_bare else value))


def _state(comparison: Comparison) -> Condition:
    states = {name.removeprefix("JOB_STATE_"): number for name, number in JobState.items() if number}
    return _enum(comparison, states)


def _mode(comparison: Comparison) -> Condition:
    modes = {name.removeprefix("EXECUTION_MODE_"): number for name, number in ExecutionMode.items()}
    return _enum(comparison, {name: modes[name] for name in ("LOCAL", "HOST")})


def _enum(comparison: Comparison, numbers: Mapping[str, int]) -> Condition:
    wanted = numbers.get(comparison.value.upper())
    if wanted is None:
        close = difflib.get_close_matches(comparison.value.upper(), numbers, n=1)
        raise invalid_filter(
            f"{comparison.field} is never {echo(comparison.value)}", f"one of {', '.join(numbers)}", *close
        )
    negated = "!" if comparison.comparator == "!=" else ""
    return Condition(f"{comparison.field} {negated}= ?", (wanted,))


def _integer(comparison: Comparison) -> Condition:
    text = comparison.value
    if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) <= 10):
        raise invalid_filter(f"{comparison.field} is a whole number, not {echo(text)}", "a whole number")
    return Condition(f"{comparison.field} {comparison.comparator} ?", (int(text),))


def _time(comparison: Comparison) -> Condition:
    column, text = comparison.field, comparison.value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_filter(
            f"{column} is a time, not {echo(text)}", "a quoted RFC 3339 time", '"2026-11-01T00:00:00Z"'
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    seconds = int(moment.replace(microsecond=0).timestamp())
    value = seconds * 1_000_000 + moment.microsecond
    # 0 stands for a time that is unset, which is neither before nor after any other.
    return Condition(f"{column} != 0 AND {column} {comparison.comparator} ?", (value,))


def _tags(comparison: Comparison) -> Condition:
    if comparison.value == "*":
        return Condition("tags != ''", ())
    return Condition("instr(tags, ?) > 0", (f"{TAG_SEPARATOR}{comparison.value}{TAG_SEPARATOR}",))


_FIELDS: Mapping[str, _Field] = MappingProxyType(
    {
        "state": _Field(("=", "!="), _state),
        "kind": _Field(_EQUALITY, _text),
        "user_id": _Field(_EQUALITY, _text),
        "display_name": _Field(_EQUALITY, _text),
        "mode": _Field(("=", "!="), _mode),
        "host": _Field(_EQUALITY, _host),
        "priority": _Field(_ORDERED, _integer),
        "create_time": _Field(_ORDERED, _time),
        "end_time": _Field(_ORDERED, _time),
        "tags": _Field((":",), _tags),
    }
)

FILTER_FIELDS = tuple(_FIELDS)
"""What jobs can be filtered by."""
