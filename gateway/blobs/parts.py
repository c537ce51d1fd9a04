"""A part: a file that grows and is hashed while it grows, until it is published, kept or thrown away."""

import hashlib
import os
from pathlib import Path
from typing import Self

from gateway.blobs.disk import full_disk_is_told
from headway.contract.digests import digest_of_hash
from headway.runtime.disk import fsync_path, make_folder
from headway.runtime.failpoints import failpoint, failpoints_around

_READ_BYTES = 1024 * 1024


class Part:
    """One open part. Blocking: used from one thread at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Use `create` or `adopt`."""
        self._path = path
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self._size = 0

    @classmethod
    def create(cls, path: Path) -> Self:
        """Begin an empty part."""
        with full_disk_is_told():
            make_folder(path.parent)
            return cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @classmethod
    def adopt(cls, kept: Path, path: Path) -> Self | None:
        """Go on with what an interrupted upload kept; of two that try, the rename lets one have it.

        Returns:
            None when there is nothing, or somebody else has it.
        """
        try:
            kept.rename(path)
        except FileNotFoundError:
            return None
        part = cls(path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
        part._read_what_is_there()
        return part

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def digest(self) -> str:
        """Digest of the bytes so far."""
        return digest_of_hash(self._hash)

    def write(self, content: bytes | memoryview) -> None:
        """Append.

        Raises:
            DiskFull: no room; the part may hold a piece of `content`, so throw it away.
        """
        with full_disk_is_told():
            left = memoryview(content)
            while left:
                left = left[os.write(self._descriptor, left) :]
        self._hash.update(content)
        self._size += len(content)

    def publish(self, target: Path) -> None:
        """Make the part visible under its final name, whole and on disk. The order is the promise (P8).

        Only what is on disk gets the name, and nothing is acknowledged before the name is on disk too. A kill in
        between leaves a part or a good blob.
        """
        with full_disk_is_told():
            make_folder(target.parent)
            os.fchmod(self._descriptor, 0o400)
            with failpoints_around("save.s1"):
                os.fsync(self._descriptor)
            self._close()
            with failpoints_around("save.s5"):
                self._path.replace(target)
                failpoint("save.s5.renamed")
                fsync_path(target.parent)

    def keep(self, kept: Path) -> None:
        """Leave the part, on disk, for the next call of the same upload; the longer of two is kept."""
        try:
            is_longer = self._size > (kept.stat().st_size if kept.exists() else 0)
            if not is_longer:
                self.discard()
                return
            with full_disk_is_told():
                os.fsync(self._descriptor)
                self._close()
                self._path.replace(kept)
                fsync_path(kept.parent)
        finally:
            self._close()

    def discard(self) -> None:
        """Throw the part away."""
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read_what_is_there(self) -> None:
        buffer = bytearray(_READ_BYTES)
        view = memoryview(buffer)
        while count := os.readv(self._descriptor, [buffer]):
            self._hash.update(view[:count])
            self._size += count
