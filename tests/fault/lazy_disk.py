"""A disk that keeps nothing but what was fsynced, for code of this process: the strictest that POSIX allows.

While it is in place it notes, at each `os.fsync`, the content of the file or the entries of the folder. `cut` then lays
out what a power cut would leave: a file has the bytes of its last fsync, and is there under the names of the last fsync
of its folders. A real file system keeps more, as fsync of a file writes out much else; see `loop_disk`.
"""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(slots=True)
class LazyDisk:
    """What was fsynced below a folder.

    Attributes:
        root: the folder; itself it is always there.
        is_lying: fsync returns, and nothing is on the disk: what a test looks like from which the safety was taken.
    """

    root: Path
    is_lying: bool = False
    _files: dict[int, bytes] = field(default_factory=dict)
    _folders: dict[int, dict[str, int]] = field(default_factory=dict)
    _held: list[int] = field(default_factory=list)

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between this process and `os.fsync` until the test is over."""
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            if not self.is_lying:
                self._note(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    def cut(self, target: Path) -> Path:
        """Lay out what is left, in a new folder; returns it."""
        self._lay_out(self.root.stat().st_ino, target)
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()
        return target

    def _note(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        # Held open, so that its number is not given to another file.
        self._held.append(os.dup(descriptor))
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(descriptor) as entries:
                self._folders[found.st_ino] = {entry.name: entry.inode() for entry in entries}
        else:
            path = Path(f"/proc/self/fd/{descriptor}")
            self._files[found.st_ino] = path.read_bytes()

    def _lay_out(self, inode: int, target: Path) -> None:
        target.mkdir()
        for name, entry in self._folders.get(inode, {}).items():
            if entry in self._folders or self._is_folder(entry):
                self._lay_out(entry, target / name)
            else:
                # The name lasted; what was never fsynced is an empty file.
                (target / name).write_bytes(self._files.get(entry, b""))
                (target / name).chmod(0o600)

    def _is_folder(self, inode: int) -> bool:
        return any(path.is_dir() and path.stat().st_ino == inode for path in self.root.rglob("*"))
