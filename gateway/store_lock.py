"""One gateway a home: a second one on the same files is refused before it touches any; so is one on half of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from headway.contract.errors import Code, HeadwayError
from headway.runtime.disk import fsync_path
from headway.runtime.folder_lock import folder_lock

_RESTORING = "restoring"


class StoreLocked(HeadwayError):
    """Another process uses the same files."""

    reason = "STORE_LOCKED"
    code = Code.FAILED_PRECONDITION


@asynccontextmanager
async def store_lock(folder: Path) -> AsyncIterator[None]:
    """Hold the folder for the length of the block.

    Raises:
        StoreLocked: another process holds it.
    """
    message = f"another gateway uses {folder.name} of this home; stop it, or set HEADWAY_HOME to another folder"
    with folder_lock(folder, StoreLocked(message)):
        yield


class RestoreUnfinished(HeadwayError):
    """A backup was being restored into this home, and not all of it is there."""

    reason = "RESTORE_UNFINISHED"
    code = Code.FAILED_PRECONDITION


def begin_restore(folder: Path) -> None:
    """Mark the folder, on disk on return: no gateway may serve from it until `end_restore`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / _RESTORING).touch()
    fsync_path(folder)


def end_restore(folder: Path) -> None:
    """Take the mark away."""
    (folder / _RESTORING).unlink(missing_ok=True)
    fsync_path(folder)


def is_restoring(folder: Path) -> bool:
    """Whether a restore was begun here and has not ended."""
    return (folder / _RESTORING).exists()


def refuse_unfinished_restore(folder: Path) -> None:
    """Raise RestoreUnfinished while the folder is marked."""
    if is_restoring(folder):
        raise RestoreUnfinished(
            "a restore into this home was broken off; run `headway restore FOLDER` again, to its end"
        )
