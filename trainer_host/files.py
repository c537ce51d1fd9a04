"""Files that outlive a crash: written aside, renamed into place, and on request on the disk before the call returns."""

import os
import shutil
from pathlib import Path

from headway.runtime.disk import fsync_path

DIRECTORY_MODE = 0o700
"""Folders of a host are its own: they hold other people's data and models."""


def make_directory(path: Path) -> Path:
    """Make a private folder and those above it; no error when it exists."""
    path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    return path


def remove_tree(path: Path) -> None:
    """Delete a folder and all in it; what cannot be deleted is left."""
    shutil.rmtree(path, ignore_errors=True)


def replace_file(path: Path, content: bytes) -> None:
    """Give a file its new content at once: a reader, or a crash of the process, sees the old or the new."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        # A disk that is full gets back the little that was written.
        part.unlink(missing_ok=True)
        raise


def fsync_tree(root: Path) -> None:
    """Return when every file below a folder, and every folder in it, is on the disk."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            fsync_path(Path(folder, name))
        fsync_path(Path(folder))
