import os
from pathlib import Path

import pytest

from headway.contract.errors import InvalidKey
from headway.runtime.keys import INVALID_KEY_MESSAGE, digest, make_key, parse, read_key_file, write_key_file


def test_a_new_key_is_well_formed_and_its_digest_is_its_own() -> None:
    key = make_key()

    assert parse(key.text) == key.key_id
    assert digest(key.text) == key.sha256
    assert key.text not in repr(key)


def test_no_two_keys_are_alike() -> None:
    keys = {make_key().text for _ in range(500)}
    assert len(keys) == 500


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "x" * 10_000,
        lambda text: text.replace("hw_", "sk_"),
        lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
        lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:],
        lambda text: text.upper(),
        lambda text: text + "\n",
        lambda text: text + "x",
        lambda text: text[:-2],
        lambda _: "hw_ä",
        lambda _: "hw__ _",
    ],
)
def test_every_malformed_key_gets_the_same_answer(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(InvalidKey) as raised:
        parse(spoil(make_key().text))
    assert raised.value.message == INVALID_KEY_MESSAGE


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "local.key"
    key = make_key()

    old = os.umask(0)
    try:
        write_key_file(path, key.text)
    finally:
        os.umask(old)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert read_key_file(path) == key.text
    assert [entry.name for entry in path.parent.iterdir()] == ["local.key"]


def test_a_key_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "local.key"
    write_key_file(path, make_key().text)
    second = make_key()
    write_key_file(path, second.text)

    assert read_key_file(path) == second.text


def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "local.key"
    write_key_file(path, make_key().text)
    path.chmod(0o644)

    with pytest.raises(InvalidKey, match="chmod 600"):
        read_key_file(path)


def test_a_key_file_that_is_missing_or_foreign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidKey, match="cannot be read"):
        read_key_file(tmp_path / "none.key")
    path = tmp_path / "local.key"
    write_key_file(path, make_key().text)
    path.write_text("hello")
    with pytest.raises(InvalidKey):
        read_key_file(path)
