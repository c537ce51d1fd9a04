"""One process a host folder: a second one would deliver, and delete, the results of the first."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headway.contract.errors import HostIdInUse
from trainer_host.files import make_directory


@contextmanager
def host_lock(host_dir: Path) -> Iterator[None]:
    """Hold the folder for the length of the block; the kernel lets it go when the process dies.

    Raises:
        HostIdInUse: another process of this machine holds it.
    """
    with (make_directory(host_dir) / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostIdInUse(
                f"a trainer host named {host_dir.name} runs on this machine already; stop it, or set another host_id"
            ) from None
        yield
