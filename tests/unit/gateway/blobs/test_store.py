import os
from pathlib import Path

import pytest

from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobInfo, BlobStore
from headway.contract.digests import sha256_of
from headway.contract.errors import BlobTooLarge, DigestMismatch, DiskFull, NotFound

CONTENT = b"hello world"
DIGEST = sha256_of(CONTENT)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs", BlobSettings(max_blob_bytes=1000))
    store.prepare()
    return store


def put(store: BlobStore, content: bytes = CONTENT, project: str = "demo") -> BlobInfo:
    part = store.new_nameless_part(project, len(content))
    part.write(content)
    return store.publish(part, project)


def test_what_was_published_is_found_and_read(store: BlobStore) -> None:
    assert put(store) == BlobInfo(DIGEST, len(CONTENT))
    assert store.find("demo", DIGEST) == BlobInfo(DIGEST, len(CONTENT))
    assert store.read("demo", DIGEST, 100) == CONTENT


def test_a_project_sees_only_its_own_blobs(store: BlobStore) -> None:
    put(store, project="other")
    assert store.find("demo", DIGEST) is None
    with pytest.raises(NotFound):
        store.open("demo", DIGEST)


def test_a_part_is_not_visible(store: BlobStore) -> None:
    part = store.new_part("demo", DIGEST, len(CONTENT))
    part.write(CONTENT)
    assert store.find("demo", DIGEST) is None
    store.keep(part, "demo", DIGEST)
    assert store.find("demo", DIGEST) is None
    assert store.kept_size("demo", DIGEST) == len(CONTENT)


def test_only_what_is_missing_is_named_in_order(store: BlobStore) -> None:
    put(store)
    others = [sha256_of(b"b"), sha256_of(b"a")]
    assert store.find_missing("demo", [others[0], DIGEST, others[1]]) == others


def test_bad_bytes_are_never_read_and_are_set_aside(store: BlobStore) -> None:
    put(store)
    path = store.path("demo", DIGEST)
    path.chmod(0o600)
    path.write_bytes(b"hello worlD")
    with pytest.raises(DigestMismatch):
        store.read("demo", DIGEST, 100)
    assert store.find("demo", DIGEST) is None
    # Whoever still has it can send it again.
    put(store)
    assert store.read("demo", DIGEST, 100) == CONTENT


def test_a_blob_that_is_larger_than_asked_for_is_not_read(store: BlobStore) -> None:
    put(store)
    with pytest.raises(BlobTooLarge):
        store.read("demo", DIGEST, len(CONTENT) - 1)


def test_the_size_limit_holds_before_anything_is_written(store: BlobStore) -> None:
    with pytest.raises(BlobTooLarge):
        store.new_part("demo", DIGEST, 1001)
    with pytest.raises(BlobTooLarge):
        store.new_nameless_part("demo", 1001)


def test_a_disk_without_room_is_refused_at_the_door(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, BlobSettings(min_free_mib=10**9))
    with pytest.raises(DiskFull):
        store.new_part("demo", DIGEST, 1)
    assert store.find_missing("demo", [DIGEST]) == [DIGEST]


def test_a_restart_turns_the_parts_of_a_killed_gateway_into_kept_ones(tmp_path: Path) -> None:
    killed = BlobStore(tmp_path, BlobSettings())
    killed.prepare()
    for content in (CONTENT[:3], CONTENT[:7], CONTENT[:5]):
        killed.new_part("demo", DIGEST, len(CONTENT)).write(content)
    killed.new_nameless_part("demo", 5).write(b"who am I?")

    again = BlobStore(tmp_path, BlobSettings())
    again.prepare()
    assert again.kept_size("demo", DIGEST) == 7
    assert len(list((tmp_path / "demo" / "incoming").iterdir())) == 1


def test_parts_that_nobody_came_back_for_go(store: BlobStore, tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        part = store.new_part("demo", sha256_of(content), 10)
        part.write(content)
        store.keep(part, "demo", sha256_of(content))
    old = next(path for path in (tmp_path / "blobs").rglob("*.kept") if path.read_bytes() == b"old")
    os.utime(old, (1000, 1000))
    assert store.drop_stale_parts(before=2000) == 1
    assert store.kept_size("demo", sha256_of(b"old")) == 0
    assert store.kept_size("demo", sha256_of(b"new")) == 3


def test_settling_puts_the_names_of_blobs_on_disk(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call may have renamed the blob and not yet synced its folder: nothing is acknowledged on it before."""
    put(store)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(str(_path_of(descriptor))))
    store.settle("demo", [DIGEST])
    assert synced == [str(store.path("demo", DIGEST).parent)]


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def test_bytes_at_hand_are_put_once_and_used_again(store: BlobStore) -> None:
    assert store.put("demo", CONTENT) == BlobInfo(DIGEST, len(CONTENT))
    os.utime(store.path("demo", DIGEST), (1e9, 1e9))
    assert store.last_used("demo", DIGEST) == 1e9

    assert store.put("demo", CONTENT) == BlobInfo(DIGEST, len(CONTENT))
    assert store.last_used("demo", DIGEST) > 1e9
    assert store.read("demo", DIGEST, 100) == CONTENT
    assert store.last_used("demo", sha256_of(b"other")) == float("inf")


def test_bytes_over_the_limit_are_not_put(store: BlobStore) -> None:
    with pytest.raises(BlobTooLarge):
        store.put("demo", b"x" * 1001)
