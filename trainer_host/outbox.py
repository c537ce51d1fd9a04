"""Finished results on their way to the gateway, safe on the disk until it has taken them.

A result is a folder `<attempt>/` with `bundle/` (the files) and `commit.pb` (the CommitResultRequest). The latter gets
its name last, when every file and folder is on the disk: what has it is whole, after a crash of the agent and after a
power cut (P11), and what lacks it is swept. All functions block; call them in a thread.
"""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from headway.runtime.disk import fsync_path, make_folder
from headway.runtime.failpoints import failpoint, failpoints_around
from headway.runtime.logs import get_logger
from headway.v1.results_service_pb2 import CommitResultRequest
from trainer_host.attempt_key import AttemptKey
from trainer_host.files import fsync_tree, remove_tree

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
    """The results of one host, below one folder on the file system that attempts train on."""

    def __init__(self, root: Path) -> None:
        self._entries = root / "results"
        self._trash = root / "trash"
        self._aside = root / "rejected"

    def prepare(self) -> None:
        """Make the folders and sweep what a crash left half-done."""
        remove_tree(self._trash)
        for folder in (self._entries, self._trash, self._aside):
            make_folder(folder)
        for folder in self._entries.iterdir():
            if not (folder / _COMMIT).exists():
                remove_tree(folder)

    def adopt(self, request: CommitResultRequest, bundle_dir: Path) -> OutboxEntry:
        """Take a bundle over. It can be delivered at once, and survives a crash once it is sealed.

        Args:
            request: what is to be committed.
            bundle_dir: the child's folder, on the same file system; it is moved away.

        Raises:
            OSError: the disk is full or failing; the bundle is still there, and the call may be repeated.
        """
        key = AttemptKey.of(request)
        folder = make_folder(self._entries / key.file_name)
        with failpoints_around("outbox.adopt"):
            bundle_dir.rename(folder / _BUNDLE)
        return OutboxEntry(key, request, folder / _BUNDLE)

    def seal(self, entry: OutboxEntry) -> None:
        """Return when the result will survive a power cut.

        Raises:
            OSError: the disk is full or failing; nothing is lost, and the call may be repeated.
        """
        folder = entry.bundle_dir.parent
        draft = folder / f".{_COMMIT}.part"
        draft.write_bytes(entry.request.SerializeToString())
        fsync_tree(folder)
        # The last step but for its own fsyncs: with this name the result is whole, without it there is none.
        with failpoints_around("outbox.seal"):
            draft.replace(folder / _COMMIT)
        fsync_path(folder)
        fsync_path(self._entries)

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
            remove_tree(old)

    def remove(self, key: AttemptKey) -> None:
        """Delete a result; no error when there is none."""
        entry = self._entries / key.file_name
        trash = self._trash / key.file_name
        if entry.exists():
            # Renamed first, so that a crash in between leaves no half of a result behind.
            remove_tree(trash)
            with failpoints_around("save.s9"):
                entry.rename(trash)
                failpoint("save.s9.renamed")
                fsync_path(self._entries)
                remove_tree(trash)


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
