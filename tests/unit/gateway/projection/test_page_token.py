"""Page tokens: bound to their list, and harmless when made up."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.projection.page_token import Cursor, bind, read_token, write_token
from headway.contract.errors import InvalidPageToken

BINDING = bind("demo", "state = QUEUED", "create_time desc")


@given(st.integers(-(2**62), 2**62), st.text(max_size=30))
def test_a_token_comes_back_as_it_was(value: int, job_id: str) -> None:
    cursor = Cursor((value, 7), job_id)
    assert read_token(BINDING, write_token(BINDING, cursor), num_values=2) == cursor


def test_a_token_is_fit_for_an_address() -> None:
    token = write_token(BINDING, Cursor((1,), "j"))
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [
        ("demo2", "state = QUEUED", "create_time desc"),
        ("demo", "", "create_time desc"),
        ("demo", "state = QUEUED", "state"),
    ],
)
def test_a_token_of_another_list_is_refused(other: tuple[str, ...]) -> None:
    token = write_token(bind(*other), Cursor((1,), "j"))
    with pytest.raises(InvalidPageToken, match="another parent"):
        read_token(BINDING, token)


@given(st.text(max_size=600))
def test_a_made_up_token_is_refused_and_breaks_nothing(token: str) -> None:
    with pytest.raises(InvalidPageToken):
        read_token(BINDING, token)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '["x"]',
        f'["{BINDING}",[1]]',
        f'["{BINDING}",1,"j"]',
        f'["{BINDING}",["1"],"j"]',
        f'["{BINDING}",[],"j"]',
        f'["{BINDING}",[1,2],"j"]',
        f'["{BINDING}",[1e400],"j"]',
        f'["{BINDING}",[{2**70}],"j"]',
        "[" * 200,
    ],
)
def test_a_token_of_another_shape_is_refused(content: str) -> None:
    with pytest.raises(InvalidPageToken):
        read_token(BINDING, base64.urlsafe_b64encode(content.encode()).decode().rstrip("="))
