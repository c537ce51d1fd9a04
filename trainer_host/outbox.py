"""Finished results on their way to the gateway, safe on the disk until it has taken them.

A result is a folder `<attempt>/` with `commit.pb` (the CommitResultRequest) and `bundle/` (the files). It is prepared
beside, fsynced file by file and folder by folder, and only then renamed into place: what is in the outbox is whole,
after a crash of the agent and after a power cut (P11). All functions block; call them in a thread.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from headway.runtime.disk import fsync_path
from headway.runtime.logs import get_logger
from headway.v1.results_service_pb2 import CommitResultRequest
from trainer_host.attempt_key import AttemptKey
from trainer_host.files import fsync_tree, make_directory

_log = get_logger(__name__)
_BUNDLE = "bundle"
_COMMIT = "commit.pb"
_ASIDE_KEPT = 3


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One finished result.

    Attributes:
        key: the attempt that made it.
        request: what is to be committed.
        bundle_dir: where its files lie.
    """

    key: AttemptKey
    request: CommitResultRequest
    bundle_dir: Path


class Outbox:
    """The results of one host, below one folder; `incoming` and `trash` are on the same file system."""

    def __init__(self, root: Path) -> None:
        self._entries = root / "results"
        self._incoming = root / "incoming"
        self._trash = root / "trash"
        self._aside = root / "rejected"

    def prepare(self) -> None:
        """Make the folders and sweep what a crash left half-done."""
        for leftover in (self._incoming, self._trash):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in (self._entries, self._incoming, self._trash, self._aside):
            make_directory(folder)

    def put(self, request: CommitResultRequest, bundle_dir: Path) -> OutboxEntry:
        """Take a bundle over; returns when it will survive a power cut.

        May be called again after an error, for what it had done by then is found and kept.

        Args:
            request: what is to be committed.
            bundle_dir: the child's folder, on the same file system; it is moved away.

        Raises:
            OSError: the disk is full or failing; nothing is lost, the bundle is here or still there.
        """
        key = AttemptKey.of(request)
        entry = self._entries / key.file_name
        incoming = self._incoming / key.file_name
        if not entry.exists():
            make_directory(incoming)
            if bundle_dir.exists():
                bundle_dir.rename(incoming / _BUNDLE)
            (incoming / _COMMIT).write_bytes(request.SerializeToString())
            fsync_tree(incoming)
            incoming.rename(entry)
        # The rename is on the disk only when the folder that holds the name is.
        fsync_path(self._entries)
        return OutboxEntry(key, request, entry / _BUNDLE)

    def entries(self) -> list[OutboxEntry]:
        """Every result that waits, oldest first."""
        folders = sorted(self._entries.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
        return [entry for folder in folders if (entry := _read(folder)) is not None]

    def find(self, key: AttemptKey) -> OutboxEntry | None:
        """One result that waits; None when there is none."""
        return _read(self._entries / key.file_name)

    def set_aside(self, key: AttemptKey) -> None:
        """Keep a result that the gateway rejects for a person to look at; the newest three are kept."""
        entry = self._entries / key.file_name
        if entry.exists():
            entry.rename(self._aside / key.file_name)
            fsync_path(self._entries)
        for old in sorted(self._aside.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)[:-_ASIDE_KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def remove(self, key: AttemptKey) -> None:
        """Delete a result; no error when there is none."""
        entry = self._entries / key.file_name
        trash = self._trash / key.file_name
        if entry.exists():
            # Renamed first, so that a crash in between leaves no half of a result behind.
            shutil.rmtree(trash, ignore_errors=True)
            entry.rename(trash)
            fsync_path(self._entries)
            shutil.rmtree(trash, ignore_errors=True)


def _read(folder: Path) -> OutboxEntry | None:
    key = AttemptKey.from_file_name(folder.name)
    try:
        request = CommitResultRequest.FromString((folder / _COMMIT).read_bytes())
    except (OSError, DecodeError) as error:
        if folder.exists():
            _log.error(
                "a result in the outbox cannot be read; it is left for a person", entry=folder.name, error=str(error)
            )
        return None
    if key is None or AttemptKey.of(request) != key:
        _log.error("a result in the outbox is not what its name says; it is left for a person", entry=folder.name)
        return None
    return OutboxEntry(key, request, folder / _BUNDLE)
