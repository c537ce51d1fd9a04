"""A disk of its own for a process: ext4 in a file, mounted over a loop device. Needs root.

`cut` is a power cut: the file holds what the kernel has written out so far, so a copy of it, taken while nobody writes,
is what the disk would hold. What is only in the page cache is lost; the journal is replayed when the copy is mounted.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SIZE_BYTES = 512 * 1024**2
# The journal is written out by fsync alone, not every five seconds, and reading writes nothing.
_OPTIONS = "loop,noatime,commit=300"


class LoopDisk:
    """One disk, mounted on a folder."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._image = image
        self._left = image.with_suffix(".cut")
        self._is_mounted = False

    def create(self) -> None:
        """Make an empty file system and mount it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as file:
            file.truncate(_SIZE_BYTES)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._mount()

    def cut(self) -> None:
        """From now on the disk holds what a power cut leaves. Whoever has it in use must have been stopped before."""
        _run("cp", "--sparse=always", str(self._image), str(self._left))

    def put_back(self) -> None:
        """Mount what `cut` left. Whoever had it in use must have ended."""
        self._unmount()
        self._left.replace(self._image)
        self._mount()

    def close(self) -> None:
        """Unmount; harmless when it is not mounted."""
        if self._is_mounted:
            self._unmount()

    def _mount(self) -> None:
        _run("mount", "-o", _OPTIONS, str(self._image), str(self.folder))
        self._is_mounted = True

    def _unmount(self) -> None:
        _run("umount", str(self.folder))
        self._is_mounted = False


@contextmanager
def loop_disks(images: Path, *folders: Path) -> Iterator[list[LoopDisk]]:
    """A disk for each folder, for the length of the block."""
    images.mkdir(parents=True, exist_ok=True)
    disks = [LoopDisk(images / f"{folder.name}.img", folder) for folder in folders]
    try:
        for disk in disks:
            disk.create()
        yield disks
    finally:
        for disk in disks:
            disk.close()


def _run(*command: str) -> None:
    assert shutil.which(command[0]), f"{command[0]} is not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
