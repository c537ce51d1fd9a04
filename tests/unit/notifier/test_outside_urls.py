"""Which addresses the notifier may send to."""

import pytest

from notifier.outside_urls import checked_url, is_loopback

WITH_PASSWORD = "https://me:hunter2" + "@example.com/hook"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?x=1",
        "http://127.0.0.1:8080/",
        "http://localhost/x",
        "http://[::1]:9/x",
        "http://127.9.9.9",
    ],
)
def test_an_address_that_is_safe_is_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        (WITH_PASSWORD, "use the secret"),
        ("http://example.com/hook", "must begin with https://"),
        ("http://10.0.0.7/hook", "must begin with https://"),
        ("http://localhost.example.com/", "must begin with https://"),
        ("ftp://example.com/", "must be an address such as https://host/path"),
        ("example.com", "must be an address"),
        ("", "must be an address"),
        ("https://", "must be an address"),
        ("https://example.com:99999/", "is no address"),
        ("https://[::1/", "is no address"),
        ("https://example.com/a b", "no spaces"),
        ("https://example.com/\x00", "no spaces"),
    ],
)
def test_any_other_is_refused_without_being_repeated(url: str, fix: str) -> None:
    """F-7: the address may be a secret."""
    with pytest.raises(ValueError, match=fix) as refused:
        checked_url(url)
    assert "hunter2" not in str(refused.value)


def test_plain_http_can_be_allowed_and_a_password_cannot() -> None:
    assert checked_url("http://10.0.0.7/hook", is_plain_allowed=True)
    with pytest.raises(ValueError, match="no password"):
        checked_url(WITH_PASSWORD, is_plain_allowed=True)


def test_websockets_have_names_of_their_own() -> None:
    assert checked_url("ws://127.0.0.1:1", schemes=("wss", "ws"))
    with pytest.raises(ValueError, match="wss://"):
        checked_url("ws://example.com", schemes=("wss", "ws"))


def test_loopback_is_this_machine_only() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "LOCALHOST", "0.0.0.0", "128.0.0.1", "local")] == [
        *(True, True, True),
        *(False, False, False),
    ]
