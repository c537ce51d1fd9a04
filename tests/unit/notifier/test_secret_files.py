"""Secrets in files of their own."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from notifier.secret_files import MAX_SECRET_BYTES, read_secret_file, secret_of


def a_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_the_secret_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    assert read_secret_file(a_file(tmp_path, b"abc\n")).get_secret_value() == "abc"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666, 0o610])
def test_a_file_that_others_can_read_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    """F-7."""
    with pytest.raises(ValueError, match="chmod 600 token") as refused:
        read_secret_file(a_file(tmp_path, b"hunter2", mode))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * (MAX_SECRET_BYTES + 1)])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="token"):
        read_secret_file(a_file(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_secret_file(tmp_path / "nothing")


def test_what_is_given_itself_wins(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"from file")
    assert secret_of(SecretStr(" given\n"), path) == SecretStr("given")
    assert secret_of(SecretStr(""), path) == SecretStr("from file")
    assert secret_of(None, None) is None
