"""How a backup lies in its folder, and how it is written and read. Blocking.

`records/<bucket>.jsonl` has a line for each record: key, revision and the protobuf bytes in base64. `blobs/` is laid
out as the gateway's own. `headway-backup.json` names the digest of each file of records and is written last: a folder
without it is no backup.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.recovery.record_copy import Raw
from headway.contract.digests import digest_of_hash
from headway.contract.errors import Code, HeadwayError
from headway.runtime.disk import fsync_path

FORMAT = 1
MANIFEST_NAME = "headway-backup.json"


class NotABackup(HeadwayError):
    """The folder holds no backup, an unfinished one, or one whose bytes have gone bad."""

    reason = "NOT_A_BACKUP"
    code = Code.FAILED_PRECONDITION


class FolderNotEmpty(HeadwayError):
    """A backup goes into a folder of its own."""

    reason = "FOLDER_NOT_EMPTY"
    code = Code.FAILED_PRECONDITION


class BackupManifest(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    format: int
    """Of the folder; a later release may write another."""

    create_time: datetime
    """When the first record was read."""

    store_id: str
    """The store that it is of."""

    told_sequence: int
    """Revisions of the jobs bucket up to this one had all their events out."""

    records: dict[str, str]
    """Digest of each file of records, by bucket."""

    num_records: int
    """In all files."""

    num_blobs: int
    """Blobs that were copied."""

    num_blob_bytes: int
    """Of them."""

    missing_blobs: list[str]
    """Digests of blobs that the store should have had and did not."""


def prepare_folder(folder: Path) -> None:
    """Make the folder of a backup.

    Raises:
        FolderNotEmpty: there is something in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FolderNotEmpty(f"{folder} is not empty; name a folder that is, or one that does not exist yet")
    (folder / "records").mkdir(mode=0o700)


def write_records(folder: Path, bucket: str, records: Iterable[Raw]) -> str:
    """Write the records of a bucket, on disk on return; their file's digest."""
    path, found = folder / "records" / f"{bucket}.jsonl", hashlib.sha256()
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        for key, revision, data in records:
            entry = {"key": key, "revision": revision, "record": base64.b64encode(data).decode()}
            line = json.dumps(entry).encode() + b"\n"
            found.update(line)
            file.write(line)
    fsync_path(path)
    return digest_of_hash(found)


def write_manifest(folder: Path, manifest: BackupManifest) -> None:
    """Finish a backup: everything else is on disk before this is."""
    for path in (folder / "records", folder):
        fsync_path(path)
    draft = folder / f"{MANIFEST_NAME}.draft"
    draft.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    fsync_path(draft)
    draft.replace(folder / MANIFEST_NAME)
    fsync_path(folder)


def read_manifest(folder: Path) -> BackupManifest:
    """What a backup says of itself.

    Raises:
        NotABackup: there is none, or it is of a newer release.
    """
    try:
        manifest = BackupManifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    except FileNotFoundError:
        raise NotABackup(
            f"{folder} has no {MANIFEST_NAME}: it is no backup, or one that was broken off; make it anew"
        ) from None
    except ValidationError as error:
        raise NotABackup(f"{MANIFEST_NAME} in {folder} cannot be read; take another backup") from error
    if manifest.format != FORMAT:
        raise NotABackup(
            f"the backup has format {manifest.format}, and this release reads {FORMAT}; install a newer one"
        )
    return manifest


def read_records(folder: Path, manifest: BackupManifest) -> dict[str, list[Raw]]:
    """The records by bucket, checked.

    Raises:
        NotABackup: a file is missing or holds other bytes than were written.
    """
    return {bucket: list(_read_bucket(folder, bucket, digest)) for bucket, digest in manifest.records.items()}


def _read_bucket(folder: Path, bucket: str, digest: str) -> Iterator[Raw]:
    path = folder / "records" / f"{Path(bucket).name}.jsonl"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotABackup(f"{path} is missing; take another backup") from None
    if digest_of_hash(hashlib.sha256(content)) != digest:
        raise NotABackup(f"{path} has gone bad: its bytes are not those that were written; take another backup")
    for line in content.splitlines():
        entry = json.loads(line)
        yield str(entry["key"]), int(entry["revision"]), base64.b64decode(entry["record"])
