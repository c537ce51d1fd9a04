"""The AIP-160 grammar of list filters."""

import pytest

from gateway.projection.filter_syntax import (
    FILTER_MAX_CHARACTERS,
    MAX_DEPTH,
    Comparison,
    Junction,
    Negation,
    parse_filter,
)
from headway.contract.errors import InvalidFilter

A, B, C = Comparison("a", "=", "1"), Comparison("b", "=", "2"), Comparison("c", "=", "3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("   ", None),
        ("a=1", A),
        ("a = 1", A),
        ("a = 1 AND b = 2", Junction("AND", (A, B))),
        ("a = 1 b = 2", Junction("AND", (A, B))),
        ("a=1 OR b=2", Junction("OR", (A, B))),
        # AIP-160: OR binds tighter than AND.
        ("a=1 AND b=2 OR c=3", Junction("AND", (A, Junction("OR", (B, C))))),
        ("(a=1 AND b=2) OR c=3", Junction("OR", (Junction("AND", (A, B)), C))),
        ("NOT a=1", Negation(A)),
        ("-a=1", Negation(A)),
        ("NOT (a=1 OR b=2)", Negation(Junction("OR", (A, B)))),
        ('a = "x y"', Comparison("a", "=", "x y")),
        ("a = 'x y'", Comparison("a", "=", "x y")),
        (r'a = "say \"hi\" \\"', Comparison("a", "=", r'say "hi" \ '.strip())),
        ("a != -5", Comparison("a", "!=", "-5")),
        ("a>=1", Comparison("a", ">=", "1")),
        ("tags:iris", Comparison("tags", ":", "iris")),
        ("ANDROID=1", Comparison("ANDROID", "=", "1")),
        ("a\n=\n1", A),
    ],
)
def test_a_filter_is_read(text: str, expected: object) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text", ["a", "a =", "= 1", "a = 1 AND", "AND", "(a = 1", "a = 1)", "a == 1", "a = 1 OR OR b = 2", 'a = "x']
)
def test_what_is_not_a_filter_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(text)
    (violation,) = caught.value.violations
    assert violation.field == "filter"
    assert "AIP-160" in violation.allowed


def test_the_message_says_where() -> None:
    with pytest.raises(InvalidFilter, match="character 7"):
        parse_filter("a = 1 )")


def test_length_and_depth_are_bounded() -> None:
    assert parse_filter("(" * MAX_DEPTH + "a=1" + ")" * MAX_DEPTH) == A
    with pytest.raises(InvalidFilter, match="deeply"):
        parse_filter("(" * (MAX_DEPTH + 1) + "a=1" + ")" * (MAX_DEPTH + 1))
    with pytest.raises(InvalidFilter, match="characters"):
        parse_filter("a=1 " * FILTER_MAX_CHARACTERS)
