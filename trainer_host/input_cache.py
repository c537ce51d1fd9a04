"""Inputs by digest on this host: checked before use, kept while there is room, shared by all attempts.

A file gets its name only after its digest was checked, without an fsync: after a power cut a file may be torn, so each
is hashed again the first time that this process uses it. All functions block; call them in a thread.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from headway.contract.digests import check_digest, hex_of
from headway.runtime.blobs.blob_file import digest_of_file
from headway.runtime.logs import get_logger
from trainer_host.files import make_directory

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells that a file was not touched since it was hashed."""

    size_bytes: int
    modify_time_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "_Stamp":
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


class InputCache:
    """Files below one folder, at most `limit_bytes` in all unless attempts hold more."""

    def __init__(self, root: Path, *, limit_bytes: int) -> None:
        self._root = root / "sha256"
        self._incoming = root / "incoming"
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._checked: dict[str, _Stamp] = {}
        self._holds: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the folders and delete downloads that a crash cut off."""
        make_directory(self._root)
        for leftover in make_directory(self._incoming).iterdir():
            leftover.unlink(missing_ok=True)

    def hold(self, digest: str) -> None:
        """Keep an input from being evicted until it is let go as often."""
        with self._lock:
            self._holds[digest] = self._holds.get(digest, 0) + 1

    def let_go(self, digest: str) -> None:
        """The opposite of `hold`."""
        with self._lock:
            self._holds[digest] -= 1
            if not self._holds[digest]:
                del self._holds[digest]

    def find(self, digest: str, size_bytes: int) -> Path | None:
        """The input, when it is here and sound; a damaged one is deleted."""
        path = self.path_of(digest)
        try:
            stamp = _Stamp.of(path)
        except FileNotFoundError:
            return None
        is_sound = self._checked.get(digest) == stamp
        if not is_sound and (stamp.size_bytes != size_bytes or digest_of_file(path) != digest):
            _log.warning("deleted a damaged input", digest=digest)
            path.unlink(missing_ok=True)
            return None
        # The time of the last use, for make_room; access times are not kept on every file system.
        os.utime(path)
        self._checked[digest] = _Stamp.of(path)
        return path

    def part_path(self, digest: str) -> Path:
        """Where a download is written before its digest is checked."""
        return self._incoming / hex_of(check_digest("digest", digest))

    def adopt(self, digest: str) -> Path:
        """Give a finished download, whose digest was checked, its name."""
        path = self.path_of(digest)
        make_directory(path.parent)
        self.part_path(digest).rename(path)
        self._checked[digest] = _Stamp.of(path)
        return path

    def make_room(self, size_bytes: int) -> None:
        """Delete inputs that nobody holds, longest unused first, until `size_bytes` more stay within the limit."""
        with self._lock:
            files = sorted((path for path in self._root.glob("*/*")), key=lambda path: path.stat().st_mtime_ns)
            total = sum(path.stat().st_size for path in files) + size_bytes
            for path in files:
                if total <= self._limit_bytes:
                    break
                if f"sha256:{path.name}" not in self._holds:
                    total -= path.stat().st_size
                    path.unlink(missing_ok=True)

    def path_of(self, digest: str) -> Path:
        """Where an input lies when it is here."""
        digits = hex_of(check_digest("digest", digest))
        return self._root / digits[:2] / digits
