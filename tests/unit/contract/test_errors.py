"""The errors."""

import re

import pytest

from headway.contract import errors
from headway.contract.errors import Code, HeadwayError, Violation, echo

CLASSES = [entry for name in errors.__all__ if isinstance(entry := getattr(errors, name), type)]
ERRORS = [entry for entry in CLASSES if issubclass(entry, HeadwayError)]


def test_each_reason_belongs_to_one_class() -> None:
    reasons = [error.reason for error in ERRORS if error != HeadwayError]
    assert sorted(reasons) == sorted(set(reasons))


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_has_a_well_formed_reason_a_code_and_a_condition(error: type[HeadwayError]) -> None:
    """AIP-193."""
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", error.reason)
    assert len(error.reason) <= 63
    assert isinstance(error.code, Code)
    assert error.__doc__


def test_an_input_error_is_never_worth_a_retry() -> None:
    assert [error for error in ERRORS if error.code is Code.INVALID_ARGUMENT and error.retryable] == []


def test_a_violation_reads_as_one_line() -> None:
    violation = Violation("a.b", "R", "7 is out of range", "1 to 5", "5")
    assert str(violation) == "a.b: 7 is out of range (allowed: 1 to 5) (try: 5)"


@pytest.mark.parametrize("text", ["x" * 10_000, "\x1b[31m", "a\nb", "\udc80", "\u202e"])
def test_an_echo_is_short_printable_ascii(text: str) -> None:
    assert len(echo(text)) <= 64 + 5
    assert echo(text).isascii()
    assert echo(text).isprintable()
