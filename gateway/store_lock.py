"""One gateway a home: a second one on the same files is refused before it touches any."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from headway.contract.errors import Code, HeadwayError
from headway.runtime.folder_lock import folder_lock


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
