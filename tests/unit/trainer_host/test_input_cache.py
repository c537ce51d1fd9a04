import os
from pathlib import Path

import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import InvalidDigest
from trainer_host import input_cache
from trainer_host.input_cache import InputCache


@pytest.fixture
def cache(tmp_path: Path) -> InputCache:
    made = InputCache(tmp_path, limit_bytes=100)
    made.prepare()
    return made


def keep(cache: InputCache, content: bytes) -> str:
    digest = sha256_of(content)
    cache.part_path(digest).write_bytes(content)
    cache.adopt(digest)
    return digest


def test_an_input_is_found_by_its_digest(cache: InputCache) -> None:
    digest = keep(cache, b"table")
    path = cache.find(digest, 5)
    assert path is not None
    assert path.read_bytes() == b"table"
    assert cache.find(sha256_of(b"other"), 5) is None


@pytest.mark.parametrize("content", [b"tablX", b"", b"table and more"])
def test_a_file_that_was_torn_by_a_power_cut_is_deleted(cache: InputCache, tmp_path: Path, content: bytes) -> None:
    digest = keep(cache, b"table")
    cache.path_of(digest).write_bytes(content)
    after_the_restart = InputCache(tmp_path, limit_bytes=100)
    assert after_the_restart.find(digest, 5) is None
    assert not cache.path_of(digest).exists()


def test_a_file_that_changed_under_us_is_hashed_again(cache: InputCache) -> None:
    digest = keep(cache, b"table")
    cache.path_of(digest).write_bytes(b"tablX")
    assert cache.find(digest, 5) is None


def test_an_untouched_file_is_hashed_once(cache: InputCache, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = keep(cache, b"table")
    cache.find(digest, 5)

    def never(_: Path) -> str:
        raise AssertionError("hashed again")

    monkeypatch.setattr(input_cache, "digest_of_file", never)
    assert cache.find(digest, 5) is not None


def test_the_longest_unused_inputs_make_room_and_held_ones_stay(cache: InputCache) -> None:
    digests = [keep(cache, bytes([number]) * 30) for number in range(3)]
    for number, digest in enumerate(digests):
        os.utime(cache.path_of(digest), (number, number))
    cache.hold(digests[0])
    cache.make_room(50)
    assert [cache.path_of(digest).exists() for digest in digests] == [True, False, False]
    cache.let_go(digests[0])
    cache.make_room(90)
    assert not cache.path_of(digests[0]).exists()


def test_using_an_input_keeps_it_from_being_the_next_to_go(cache: InputCache) -> None:
    old, new = keep(cache, b"o" * 40), keep(cache, b"n" * 40)
    for number, digest in enumerate((old, new)):
        os.utime(cache.path_of(digest), (number, number))
    cache.find(old, 40)
    cache.make_room(40)
    assert cache.path_of(old).exists()
    assert not cache.path_of(new).exists()


def test_half_downloads_are_swept_at_the_start(cache: InputCache) -> None:
    cache.part_path(sha256_of(b"x")).write_bytes(b"half")
    cache.prepare()
    assert not cache.part_path(sha256_of(b"x")).exists()


def test_no_path_is_made_of_what_is_no_digest(cache: InputCache) -> None:
    with pytest.raises(InvalidDigest):
        cache.find("sha256:../../etc/passwd", 5)
