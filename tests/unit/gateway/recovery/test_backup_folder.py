"""A backup folder: whole or not a backup."""

import json
from pathlib import Path

import pytest

from gateway.recovery.backup_folder import (
    FORMAT,
    MANIFEST_NAME,
    BackupManifest,
    FolderNotEmpty,
    NotABackup,
    prepare_folder,
    read_manifest,
    read_records,
    write_manifest,
    write_records,
)
from tests.unit.gateway.builders import NOW

RECORDS = [("j1", 7, b"\x00\xff bytes"), ("j2", 9, b"")]


def written(folder: Path) -> BackupManifest:
    prepare_folder(folder)
    digest = write_records(folder, "jobs", RECORDS)
    manifest = BackupManifest(
        format=FORMAT,
        create_time=NOW,
        store_id="s",
        told_sequence=3,
        records={"jobs": digest},
        num_records=2,
        num_blobs=0,
        num_blob_bytes=0,
        missing_blobs=[],
    )
    write_manifest(folder, manifest)
    return manifest


def test_what_was_written_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    manifest = written(folder)
    assert read_manifest(folder) == manifest
    assert read_records(folder, manifest) == {"jobs": RECORDS}
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "records" / "jobs.jsonl").stat().st_mode & 0o077 == 0


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(FolderNotEmpty):
        prepare_folder(tmp_path)


def test_a_backup_that_was_broken_off_is_none(tmp_path: Path) -> None:
    written(tmp_path / "b")
    (tmp_path / "b" / MANIFEST_NAME).unlink()
    with pytest.raises(NotABackup, match="broken off"):
        read_manifest(tmp_path / "b")


def test_a_bit_that_flipped_is_noticed(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    path = tmp_path / "records" / "jobs.jsonl"
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    with pytest.raises(NotABackup, match="gone bad"):
        read_records(tmp_path, manifest)


def test_a_later_format_and_nonsense_are_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    (tmp_path / MANIFEST_NAME).write_text(json.dumps({**manifest.model_dump(mode="json"), "format": FORMAT + 1}))
    with pytest.raises(NotABackup, match="newer"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST_NAME).write_text("{}")
    with pytest.raises(NotABackup):
        read_manifest(tmp_path)
