"""One gateway a home: a second one on the same files is refused before it touches any."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from headway.contract.errors import Code, HeadwayError


class StoreLocked(HeadwayError):
    """Another process uses the same files."""

    reason = "STORE_LOCKED"
    code = Code.FAILED_PRECONDITION


@asynccontextmanager
async def store_lock(folder: Path) -> AsyncIterator[None]:
    """Hold the folder for the length of the block; the kernel lets go when the process ends, however it ends.

    Raises:
        StoreLocked: another process holds it.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - before anything is served
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(
                f"another gateway uses {folder.name} of this home; stop it, or set HEADWAY_HOME to another folder"
            ) from None
        yield
    finally:
        os.close(descriptor)
