import errno
import os
from pathlib import Path

import pytest

from gateway.blobs.parts import Part
from headway.contract.digests import sha256_of
from headway.contract.errors import DiskFull


def test_a_part_hashes_what_it_is_given(tmp_path: Path) -> None:
    part = Part.create(tmp_path / "incoming" / "a.part")
    part.write(b"hello ")
    part.write(memoryview(b"world"))
    assert (part.size, part.digest) == (11, sha256_of(b"hello world"))
    part.publish(tmp_path / "sha256" / "x")
    assert (tmp_path / "sha256" / "x").read_bytes() == b"hello world"
    assert (tmp_path / "sha256" / "x").stat().st_mode & 0o777 == 0o400
    assert list((tmp_path / "incoming").iterdir()) == []


def test_bytes_and_name_are_on_disk_in_this_order_before_publish_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8. Without the first fsync a power cut leaves a name with other bytes; without the last, no name."""
    part = Part.create(tmp_path / "a.part")
    part.write(b"x")
    (tmp_path / "to").mkdir()
    done: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        done.append("fsync " + str(_path_of(descriptor)))
        real_fsync(descriptor)

    def replace(source: Path, target: Path) -> None:
        done.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    part.publish(tmp_path / "to" / "x")
    assert done == [f"fsync {tmp_path}/a.part", "replace", f"fsync {tmp_path}/to"]


def test_what_is_kept_is_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part.create(tmp_path / "a.part")
    part.write(b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(str(_path_of(descriptor))))
    part.keep(tmp_path / "a.kept")
    assert synced == [f"{tmp_path}/a.part", str(tmp_path)]


def test_a_kept_part_goes_on_with_its_hash(tmp_path: Path) -> None:
    part = Part.create(tmp_path / "a.part")
    part.write(b"hello ")
    part.keep(tmp_path / "a.kept")
    adopted = Part.adopt(tmp_path / "a.kept", tmp_path / "b.part")
    assert adopted is not None
    assert adopted.size == 6
    adopted.write(b"world")
    assert adopted.digest == sha256_of(b"hello world")
    adopted.publish(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"hello world"


def test_of_two_who_adopt_one_gets_it(tmp_path: Path) -> None:
    part = Part.create(tmp_path / "a.part")
    part.write(b"x")
    part.keep(tmp_path / "a.kept")
    first = Part.adopt(tmp_path / "a.kept", tmp_path / "b.part")
    assert Part.adopt(tmp_path / "a.kept", tmp_path / "c.part") is None
    assert first is not None
    first.discard()


@pytest.mark.parametrize(("first", "second", "kept"), [(b"long", b"x", b"long"), (b"x", b"long", b"long")])
def test_the_longer_of_two_is_kept(tmp_path: Path, first: bytes, second: bytes, kept: bytes) -> None:
    for content in (first, second):
        part = Part.create(tmp_path / "a.part")
        part.write(content)
        part.keep(tmp_path / "a.kept")
    assert (tmp_path / "a.kept").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["a.kept"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part.create(tmp_path / "a.part")

    def full(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull):
        part.write(b"x")
    part.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_the_disk_takes_piece_by_piece_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = Part.create(tmp_path / "a.part")
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:3]))
    part.write(b"hello world")
    monkeypatch.undo()
    part.publish(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"hello world"


def test_discarding_twice_is_harmless(tmp_path: Path) -> None:
    part = Part.create(tmp_path / "a.part")
    part.discard()
    part.discard()
    assert list(tmp_path.iterdir()) == []


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()
