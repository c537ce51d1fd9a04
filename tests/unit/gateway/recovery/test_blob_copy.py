"""Blobs are copied whole or not at all, and looked through by their bytes."""

from pathlib import Path

from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.recovery.blob_check import check_blobs
from gateway.recovery.blob_copy import copy_blobs
from gateway.recovery.named_blobs import NamedBlob
from headway.contract.digests import sha256_of
from tests.unit.gateway.builders import PROJECT


def a_store(folder: Path, *contents: bytes) -> BlobStore:
    store = BlobStore(folder, BlobSettings(min_free_mib=0))
    store.prepare()
    for content in contents:
        part = store.new_part(PROJECT, sha256_of(content), len(content))
        part.write(content)
        store.publish(part, PROJECT)
    return store


def named(content: bytes) -> NamedBlob:
    return NamedBlob(PROJECT, sha256_of(content), len(content))


def test_what_is_whole_is_copied_and_the_rest_is_named(tmp_path: Path) -> None:
    source, target = a_store(tmp_path / "a", b"good", b"rotten"), a_store(tmp_path / "b")
    path = source.path(PROJECT, sha256_of(b"rotten"))
    path.chmod(0o600)
    path.write_bytes(b"rotteN")
    blobs = [named(b"good"), named(b"rotten"), named(b"absent")]
    for verdict in (copy_blobs(source, target, blobs, lambda _: None), check_blobs(source, blobs, lambda _: None)):
        assert (verdict.num_whole, verdict.num_bytes) == (1, 4)
        assert verdict.damaged == [sha256_of(b"rotten")]
        assert verdict.missing == [sha256_of(b"absent")]
    assert target.read(PROJECT, sha256_of(b"good"), 100) == b"good"
    assert target.find(PROJECT, sha256_of(b"rotten")) is None
    assert not list((tmp_path / "b").glob("*/incoming/*.part"))


def test_a_second_copy_takes_what_is_there(tmp_path: Path) -> None:
    source, target = a_store(tmp_path / "a", b"good"), a_store(tmp_path / "b")
    copy_blobs(source, target, [named(b"good")], lambda _: None)
    before = target.path(PROJECT, sha256_of(b"good")).stat().st_ino
    assert copy_blobs(source, target, [named(b"good")], lambda _: None).num_whole == 1
    assert target.path(PROJECT, sha256_of(b"good")).stat().st_ino == before
