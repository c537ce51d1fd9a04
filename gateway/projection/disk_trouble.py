"""Tells a disk that is full or failing from a file that is damaged: the one passes, the other does not (P28)."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from headway.contract.errors import DiskFull

RETRY_AFTER = timedelta(seconds=30)
_PRIMARY = 0xFF
_OF_THE_DISK = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""A disk without room shows as any of these: also the files beside the database could not grow, or not be made."""


def is_of_the_disk(error: sqlite3.Error) -> bool:
    """Whether the disk is at fault, and not what is on it."""
    # Errors that Python itself raises have no code.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY in _OF_THE_DISK


@contextmanager
def disk_trouble_is_told() -> Iterator[None]:
    """Turn SQLite's words for a full or failing disk into DiskFull; nothing was written. Other errors pass."""
    try:
        yield
    except sqlite3.Error as error:
        if not is_of_the_disk(error):
            raise
        message = f"the gateway's own files cannot be written ({error}); is its disk full? Free some"
        raise DiskFull(message, retry_after=RETRY_AFTER) from error
