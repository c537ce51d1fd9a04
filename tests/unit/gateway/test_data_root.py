import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.data_root import DataRoot, FileFacts, split_path
from headway.contract.errors import InvalidDataPath, UnsupportedScheme


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "a b").mkdir(parents=True)
    (tmp_path / "data" / "a b" / "ü.csv").write_bytes(b"x")
    return tmp_path / "data"


@pytest.mark.parametrize("path", ["a b/ü.csv", "./a b/ü.csv", "a b//ü.csv"])
def test_a_file_below_the_root_is_opened(root: Path, path: str) -> None:
    opened = DataRoot(root).open(path)
    with opened.file as file:
        assert file.read() == b"x"
    found = (root / "a b" / "ü.csv").stat()
    assert opened.facts == FileFacts("a b/ü.csv", 1, found.st_mtime_ns, found.st_ino)
    assert opened.facts.file_name == "ü.csv"


def test_the_root_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    DataRoot(tmp_path / "link").open("a b/ü.csv").file.close()


def test_a_root_that_does_not_exist_is_told_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataPath) as caught:
        DataRoot(tmp_path / "nowhere").open("x.csv")
    assert str(tmp_path) not in caught.value.message


def test_a_file_that_is_written_to_has_changed(root: Path) -> None:
    opened = DataRoot(root).open("a b/ü.csv")
    with opened.file:
        assert not opened.has_changed()
        (root / "a b" / "ü.csv").write_bytes(b"longer")
        assert opened.has_changed()


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "link").symlink_to("/etc")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the count is what matters
    for path in ("link/passwd", "a b", "a b/missing", "../x", "a b/ü.csv/x"):
        with pytest.raises(InvalidDataPath):
            DataRoot(root).open(path)
    DataRoot(root).open("a b/ü.csv").file.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@given(st.text(max_size=40) | st.text("./\\a~", max_size=12))
def test_no_text_names_anything_outside(text: str) -> None:
    try:
        parts = split_path(text, field="f")
    except (InvalidDataPath, UnsupportedScheme):
        return
    assert parts
    assert not {"", ".", ".."} & set(parts)
    assert not any("/" in part or "\\" in part or "\0" in part for part in parts)


@pytest.mark.parametrize(
    "path", ["http://x", "HTTP://x", "file:/etc/passwd", "file:x", "s3://b/x", "data:text/csv,a", "gs:x"]
)
def test_a_url_is_told_apart_from_a_path(path: str) -> None:
    with pytest.raises(UnsupportedScheme):
        split_path(path, field="f")


def test_a_colon_alone_makes_no_url() -> None:
    assert split_path("2026-01-01T12:00:00.csv", field="f") == ["2026-01-01T12:00:00.csv"]
