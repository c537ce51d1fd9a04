"""A job file as a tree of nodes that remember their lines; what YAML and TOML have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum

MAX_DEPTH = 32
MAX_NODES = 10_000


class ScalarKind(Enum):
    """What a scalar was written as. Its text is kept too, so that `target_column: 2024` stays the word 2024."""

    TEXT = "text"
    WHOLE = "whole number"
    REAL = "number"
    TRUTH = "true or false"
    EMPTY = "nothing"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value.

    Attributes:
        text: as written, without quotes.
        kind: what the file format takes it for.
        line: from 1; 0 where not known.
    """

    text: str
    kind: ScalarKind
    line: int = 0


@dataclass(slots=True)
class Items:
    """A list."""

    items: list["Node"] = field(default_factory=list)
    line: int = 0


@dataclass(slots=True)
class Fields:
    """Named values, in the order of the file."""

    fields: dict[str, "Node"] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    line: int = 0


Node = Scalar | Items | Fields


def describe(node: Node) -> str:
    """What a node is, for a fault: `a list`, `named fields`, `the text 'abc'`."""
    match node:
        case Items():
            return "a list"
        case Fields():
            return "named fields"
        case Scalar(kind=ScalarKind.EMPTY):
            return "nothing"
        case Scalar(text=text, kind=ScalarKind.TEXT):
            return f"the text {text!r}"
        case Scalar(text=text):
            return text


def from_value(value: object, line: int = 0) -> Node:
    """A node from a parsed value, such as TOML gives."""
    if isinstance(value, Mapping):
        return Fields({str(key): from_value(item, line) for key, item in value.items()}, {}, line)
    if isinstance(value, list):
        return Items([from_value(item, line) for item in value], line)
    return _scalar(value, line)


def _scalar(value: object, line: int) -> Scalar:
    if value is None:
        return Scalar("", ScalarKind.EMPTY, line)
    if isinstance(value, bool):
        return Scalar("true" if value else "false", ScalarKind.TRUTH, line)
    if isinstance(value, int):
        return Scalar(str(value), ScalarKind.WHOLE, line)
    if isinstance(value, float):
        return Scalar(repr(value), ScalarKind.REAL, line)
    if isinstance(value, datetime | date | time):
        return Scalar(value.isoformat(), ScalarKind.TEXT, line)
    return Scalar(str(value), ScalarKind.TEXT, line)
