"""A disk of a few MiB: a tmpfs, mounted for one test. It fills up for real, and all at once when the test says so."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.contract.limits import KIB
from headway.runtime.disk import free_bytes

_BALLAST = "ballast"


class SmallDisk:
    """A mounted disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def free_bytes(self) -> int:
        """Room that is left."""
        return free_bytes(self.folder)

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all room but this, as somebody else's file would."""
        with (self.folder / _BALLAST).open("ab", buffering=0) as file:
            while (left := self.free_bytes - leave_bytes) > 0:
                try:
                    file.write(bytes(min(left, 256 * KIB)))
                except OSError:
                    # The last page of a tmpfs may be an index page.
                    return

    def make_room(self) -> None:
        """Give back what `fill` took."""
        (self.folder / _BALLAST).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, mib: int) -> Iterator[SmallDisk]:
    """A disk of this size at a folder, for the length of the block; everything on it is gone afterwards."""
    if os.geteuid() != 0 and "CI" not in os.environ:
        pytest.skip("only root can mount a small disk; in CI this is a failure")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "headway-test", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: whatever still runs there must not keep the mount for ever.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
