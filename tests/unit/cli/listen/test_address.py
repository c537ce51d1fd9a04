from pathlib import Path

import pytest

from headway.cli.listen.address import DEFAULT_NATS_URL, NatsAddress, find_nats_url


def test_nats_is_found_where_the_supervisor_said(tmp_path: Path) -> None:
    assert find_nats_url(tmp_path) == DEFAULT_NATS_URL
    (tmp_path / "run.json").write_text('{"nats_url": "nats://127.0.0.1:9"}', encoding="utf-8")
    assert find_nats_url(tmp_path) == "nats://127.0.0.1:9"


@pytest.mark.parametrize("user", ["me:pa@ss:word" + "@", "me" + "@", ""])
def test_an_address_is_shown_without_user_and_password(user: str) -> None:
    """F-7."""
    assert NatsAddress(f"tls://{user}host:4222").shown == "tls://host:4222"


@pytest.mark.parametrize(
    ("user", "domains", "inbox_prefix"),
    [
        ("", ("",), "_INBOX"),
        ("gateway" + ":x@", ("",), "_INBOX_gateway"),
        ("subscriber" + ":x@", ("headway", ""), "_INBOX"),
        ("somebody" + ":x@", ("headway", ""), "_INBOX"),
    ],
)
def test_a_user_looks_for_jetstream_where_its_account_has_it(
    user: str, domains: tuple[str, ...], inbox_prefix: str
) -> None:
    address = NatsAddress(f"nats://{user}host:4222")
    assert (address.domains, address.inbox_prefix) == (domains, inbox_prefix)
