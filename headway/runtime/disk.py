"""What it takes for a file to outlive a power cut."""

import os
from pathlib import Path


def fsync_path(path: Path) -> None:
    """Return when the content of a file, or the entries of a folder, are on the disk. Blocks; raises OSError.

    A rename or a new file lasts only once its folder was fsynced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
