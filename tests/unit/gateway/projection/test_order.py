"""The `order_by` of lists."""

import pytest

from gateway.projection.order import NEWEST_FIRST, ORDER_FIELDS, Order, parse_order
from headway.contract.errors import InvalidFilter


def test_the_newest_comes_first_by_default() -> None:
    assert parse_order("") == NEWEST_FIRST == Order("create_time", is_descending=True)


@pytest.mark.parametrize("field", ORDER_FIELDS)
def test_each_field_goes_both_ways(field: str) -> None:
    assert parse_order(field) == parse_order(f" {field}  ASC ") == Order(field, is_descending=False)
    assert parse_order(f"{field} desc") == Order(field, is_descending=True)


@pytest.mark.parametrize("text", ["name", "state down", "state desc desc", "state, priority", "record", "state;--"])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_order(text)
    assert caught.value.violations[0].field == "order_by"
    assert "create_time" in caught.value.violations[0].allowed
