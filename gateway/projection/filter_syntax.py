"""The syntax of list filters: AIP-160, read by a grammar into a small tree.

Left out, and refused by name: bare words that would match any field, functions, and `.` traversal, since no field of
a job that can be filtered has parts.
"""

from dataclasses import dataclass
from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from headway.contract.errors import InvalidFilter, Violation, echo

FILTER_MAX_CHARACTERS = 2048
MAX_DEPTH = 16
"""Parentheses within parentheses; SQLite and this reader recurse."""

_GRAMMAR = r"""
expression: sequence ("AND" sequence)*
sequence: factor+
factor: term ("OR" term)*
?term: negation | simple
negation: ("NOT" | "-") simple
?simple: restriction | "(" expression ")"
restriction: FIELD COMPARATOR (STRING | WORD)

COMPARATOR: "<=" | ">=" | "!=" | "=" | "<" | ">" | ":"
FIELD: /[A-Za-z_][A-Za-z0-9_.]*/
STRING: /"(?:[^"\\]|\\.)*"/ | /'(?:[^'\\]|\\.)*'/
WORD: /[^\s()"'=!<>:,]+/
%ignore /\s+/
"""
_AIP = "AIP-160: field, comparator (= != < <= > >= :), value; joined by AND, OR, NOT and parentheses"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field comparator value`.

    Attributes:
        field: as written.
        comparator: one of = != < <= > >= :
        value: without quotes, escapes resolved.
    """

    field: str
    comparator: str
    value: str


@dataclass(frozen=True, slots=True)
class Negation:
    """`NOT part`."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Junction:
    """Parts joined by AND or OR.

    Attributes:
        word: `AND` or `OR`.
        parts: at least two.
    """

    word: str
    parts: "tuple[Node, ...]"


Node = Comparison | Negation | Junction


def parse_filter(text: str) -> Node | None:
    """Read a filter; None for an empty one, which matches everything.

    OR binds tighter than AND, and two restrictions side by side are joined by AND, both as AIP-160 says.

    Raises:
        InvalidFilter: not AIP-160, too long or too deep; the message says where.
    """
    text = " ".join(text.splitlines())  # On one line a column is a position.
    if not text.strip():
        return None
    if len(text) > FILTER_MAX_CHARACTERS:
        raise invalid_filter(f"the filter has {len(text)} characters", f"at most {FILTER_MAX_CHARACTERS} characters")
    if _depth(text) > MAX_DEPTH:
        raise invalid_filter("the filter is nested too deeply", f"at most {MAX_DEPTH} levels of parentheses")
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _unreadable(text, error) from None
    return _node(tree)


def invalid_filter(message: str, allowed: str, suggested: str = "") -> InvalidFilter:
    """The error for a filter that cannot be used."""
    return InvalidFilter(message, violations=[Violation("filter", InvalidFilter.reason, message, allowed, suggested)])


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", start="expression")


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


def _unreadable(text: str, error: UnexpectedInput) -> InvalidFilter:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return invalid_filter("the filter ends too early", _AIP)
    found = echo(text[error.column - 1 : error.column + 15])
    return invalid_filter(f"the filter cannot be read at character {error.column}: {found}", _AIP)


def _node(tree: Tree[Token] | Token) -> Node:
    if isinstance(tree, Token):
        raise TypeError(f"{tree!r} is no part of the grammar")
    if tree.data == "restriction":
        field, comparator, value = (str(child) for child in tree.children)
        return Comparison(field, comparator, _unquoted(value))
    parts = tuple(_node(child) for child in tree.children)
    if tree.data == "negation":
        return Negation(parts[0])
    if len(parts) == 1:
        return parts[0]
    return Junction("OR" if tree.data == "factor" else "AND", parts)


def _unquoted(value: str) -> str:
    if value[0] not in "\"'":
        return value
    characters = iter(value[1:-1])
    return "".join(next(characters) if character == "\\" else character for character in characters)
