import math

import pytest

from trainer_host.recipes.tabular_train.cells import is_missing, parse_number


@pytest.mark.parametrize(
    "text", ["", " ", "na", "NA", "n/a", "N/A", "nan", "NaN", "none", "None", "NULL", "null", ".", " . "]
)
def test_a_missing_value_is_seen_in_any_case(text: str) -> None:
    assert is_missing(text)
    assert math.isnan(parse_number(text) or 0.0)


@pytest.mark.parametrize("text", ["0", "no", "-", "?", "n a", "..", "nil", "missing"])
def test_other_words_are_values(text: str) -> None:
    assert not is_missing(text)


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), (" -2.5 ", -2.5), ("1e3", 1000.0), ("+.5", 0.5), ("007", 7.0)])
def test_a_number_is_read(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text", ["1,5", "1_000", "0x10", "inf", "-Infinity", "1e999", "12a", "=cmd|' /C calc'!A0", "true"]
)
def test_what_other_programs_do_not_take_for_a_number_is_text(text: str) -> None:
    assert parse_number(text) is None
