from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.list_fields import NumberField, TextField, TimeField
from gateway.listing import Asked, Listed, list_page, matcher
from headway.contract.errors import InvalidFilter, InvalidPageToken, OutOfRange

START = datetime(2026, 1, 1, tzinfo=UTC)
Thing = tuple[str, int, datetime]
LISTED: Listed[Thing] = Listed(
    "things",
    "thing_id",
    lambda thing: thing[0],
    {
        "thing_id": TextField(lambda thing: thing[0]),
        "size": NumberField(lambda thing: thing[1]),
        "create_time": TimeField(lambda thing: thing[2]),
    },
)
THINGS = [(name, size, START + timedelta(hours=size)) for size, name in enumerate(["alpha", "beta", "b[x]", "gamma"])]


def asked(filter_text: str = "", *, size: int = 0, token: str = "", order_by: str = "", parent: str = "p") -> Asked:
    return Asked(parent, size, token, filter_text, order_by)


def names(filter_text: str, order_by: str = "") -> list[str]:
    return [thing[0] for thing in list_page(LISTED, THINGS, asked(filter_text, order_by=order_by)).entries]


@pytest.mark.parametrize(
    ("filter_text", "expected"),
    [
        ("", ["alpha", "b[x]", "beta", "gamma"]),
        ('thing_id = "beta"', ["beta"]),
        ("thing_id != beta", ["alpha", "b[x]", "gamma"]),
        ("thing_id = b*", ["b[x]", "beta"]),
        ("thing_id = *a", ["alpha", "beta", "gamma"]),
        ('thing_id = "b[x]"', ["b[x]"]),
        ('thing_id = "b?ta"', []),
        ("thing_id:amm", ["gamma"]),
        ("thing_id:*", ["alpha", "b[x]", "beta", "gamma"]),
        ("size >= 2", ["b[x]", "gamma"]),
        ("size < 1 OR size = 3", ["alpha", "gamma"]),
        ("NOT size = 0 AND thing_id:a", ["beta", "gamma"]),
        ('create_time > "2026-01-01T00:30:00Z"', ["b[x]", "beta", "gamma"]),
        ('create_time = "2026-01-01T01:00:00"', ["beta"]),
        ("size = 1 thing_id = beta", ["beta"]),
    ],
)
def test_a_filter_says_what_aip_160_says(filter_text: str, expected: list[str]) -> None:
    assert names(filter_text) == expected


@pytest.mark.parametrize(
    "filter_text",
    [
        "colour = red",
        "size = big",
        "size : 1",
        "create_time = yesterday",
        "thing_id < b",
        "size =",
        "(",
        "create_time:*",
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_even_on_an_empty_list(filter_text: str) -> None:
    with pytest.raises(InvalidFilter):
        list_page(LISTED, [], asked(filter_text))


def test_a_field_that_is_nearly_right_is_suggested() -> None:
    with pytest.raises(InvalidFilter) as caught:
        matcher(LISTED, "thing_ids = x")
    assert caught.value.violations[0].suggested == "thing_id"


def test_lists_are_ordered_by_id_or_by_time() -> None:
    assert names("", order_by="thing_id desc") == ["gamma", "beta", "b[x]", "alpha"]
    assert names("", order_by="create_time") == ["alpha", "beta", "b[x]", "gamma"]
    assert names("", order_by="create_time desc") == ["gamma", "b[x]", "beta", "alpha"]


@pytest.mark.parametrize("order_by", ["size", "colour", "thing_id up", "thing_id desc x"])
def test_another_order_is_refused(order_by: str) -> None:
    with pytest.raises(InvalidFilter):
        list_page(LISTED, THINGS, asked(order_by=order_by))


@given(st.integers(1, 9), st.sampled_from(["", "thing_id desc", "create_time", "create_time desc"]))
def test_pages_together_are_the_list(size: int, order_by: str) -> None:
    things = [(f"t{at % 7}-{at}", at, START + timedelta(hours=at % 3)) for at in range(23)]
    whole = list_page(LISTED, things, asked(order_by=order_by, size=1000)).entries
    paged: list[Thing] = []
    token = "first"
    while token:
        page = list_page(LISTED, things, asked(order_by=order_by, size=size, token="" if token == "first" else token))
        assert 0 < len(page.entries) <= size
        paged.extend(page.entries)
        token = page.next_page_token
    assert paged == list(whole)


def test_a_token_belongs_to_its_list() -> None:
    token = list_page(LISTED, THINGS, asked(size=1)).next_page_token
    for other in (
        asked("size > 0", size=1, token=token),
        asked(size=1, token=token, order_by="create_time"),
        asked(size=1, token=token, parent="q"),
        asked(token="garbage"),
        asked(token=token[:-2]),
    ):
        with pytest.raises(InvalidPageToken):
            list_page(LISTED, THINGS, other)


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(OutOfRange):
        list_page(LISTED, THINGS, asked(size=-1))


def test_a_page_is_never_longer_than_the_limit() -> None:
    things = [(f"t{at:05}", at, START) for at in range(1500)]
    assert len(list_page(LISTED, things, asked(size=2000)).entries) == 1000
    assert len(list_page(LISTED, things, asked()).entries) == 50
