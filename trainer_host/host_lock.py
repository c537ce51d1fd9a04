"""One process a host folder: a second one would deliver, and delete, the results of the first."""

from contextlib import AbstractContextManager
from pathlib import Path

from headway.contract.errors import HostIdInUse
from headway.runtime.folder_lock import folder_lock


def host_lock(host_dir: Path) -> AbstractContextManager[None]:
    """Hold the folder for the length of the block.

    Raises:
        HostIdInUse: another process of this machine holds it.
    """
    message = f"a trainer host named {host_dir.name} runs on this machine already; stop it, or set another host_id"
    return folder_lock(host_dir, HostIdInUse(message))
