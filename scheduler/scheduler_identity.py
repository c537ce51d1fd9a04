"""Who this scheduler is over restarts: an id in its folder of the home, which one process uses at a time."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headway.contract.errors import Code, HeadwayError
from headway.runtime.folder_lock import folder_lock


class SchedulerFolderInUse(HeadwayError):
    """Another scheduler process uses the same home."""

    reason = "SCHEDULER_FOLDER_IN_USE"
    code = Code.FAILED_PRECONDITION


@contextmanager
def scheduler_identity(folder: Path) -> Iterator[str]:
    """Hold the folder for the length of the block; gives the id, which is made when there is none.

    Whoever holds the folder knows that the process before it is dead, and need not wait until the lease of that one is
    over.

    Args:
        folder: `<home>/scheduler`.

    Raises:
        SchedulerFolderInUse: another process holds it.
    """
    message = "another scheduler runs with this home; stop it, or give this one a HEADWAY_HOME of its own"
    with folder_lock(folder, SchedulerFolderInUse(message)):
        yield _id_in(folder / "id")


def _id_in(path: Path) -> str:
    if path.exists():
        known = path.read_text(encoding="ascii", errors="replace").strip()
        if known.isascii() and known.isalnum():
            return known
    new = secrets.token_hex(16)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(new, encoding="ascii")
    draft.replace(path)
    return new
