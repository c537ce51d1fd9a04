"""Making file changes last, and a full disk into an error that callers understand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from headway.contract.errors import DiskFull
from headway.runtime.disk import NO_ROOM, free_bytes

_MIB = 1024 * 1024
_COME_BACK_AFTER = timedelta(seconds=30)


@contextmanager
def full_disk_is_told() -> Iterator[None]:
    """Turn the operating system's "no space left" into DiskFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise _disk_full() from error


def check_room(folder: Path, num_bytes: int, min_free_mib: int) -> None:
    """Refuse at the door what would not fit.

    Raises:
        DiskFull: `num_bytes` more would leave less than `min_free_mib` on the disk of `folder`.
    """
    if free_bytes(folder) - num_bytes < min_free_mib * _MIB:
        raise _disk_full()


def _disk_full() -> DiskFull:
    return DiskFull(
        "the gateway's disk has no room for this; free some, then try again. Nothing was acknowledged",
        retry_after=_COME_BACK_AFTER,
    )
