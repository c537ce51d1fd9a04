"""One process a folder: a second one on the same files is refused before it touches any."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headway.contract.errors import HeadwayError


@contextmanager
def folder_lock(folder: Path, refusal: HeadwayError) -> Iterator[None]:
    """Hold a folder, made when it is missing, for the length of the block; the kernel lets go when the process ends.

    Args:
        folder: a file `lock` in it is held.
        refusal: raised when another process, or another block of this one, holds it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
