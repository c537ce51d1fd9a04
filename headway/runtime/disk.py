"""What it takes for a file to outlive a power cut, and how much room a disk has."""

import errno
import os
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of an OSError that says: no space left on the device, in the quota, or in a file."""


def fsync_path(path: Path) -> None:
    """Return when the content of a file, or the entries of a folder, are on the disk. Blocks; raises OSError.

    A rename or a new file lasts only once its folder was fsynced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> Path:
    """Create a folder and its missing parents, for this user alone, so that they survive a power cut; returns it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        fsync_path(folder.parent)
    return folder


def free_bytes(path: Path) -> int:
    """Room on the disk that a file or folder lies on, for a user without privileges. Raises OSError."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize
