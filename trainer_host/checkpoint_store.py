"""The checkpoints that lie on this host: a folder for each job, in it a folder for each checkpoint.

They stay when the attempt ends early, and over a restart of the host: an attempt of the same job that comes back here
goes on from the newest, whether the gateway has it already or not. All functions block; call them in a thread.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from headway.contract.limits import HOST_SLOTS_MAX
from headway.runtime.disk import make_folder
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_files import PART_PREFIX
from trainer_host.files import remove_tree

CHECKPOINTS_KEPT = 2
"""Of each job: the newest, and the one before in case the newest turns out to be torn."""
JOBS_KEPT = 2 * HOST_SLOTS_MAX
"""A job may go on at another host and never come back; the folders of those that were longest unused are deleted. More
than a host can train at a time, so that none of those is."""


class CheckpointStore:
    """The checkpoints below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folder; sweep what a crash left half-written, and jobs beyond the limit."""
        make_folder(self._root)
        self._sweep_jobs()
        for part in self._root.glob(f"*/{PART_PREFIX}*"):
            remove_tree(part)

    def folder_of(self, key: AttemptKey) -> Path:
        """The folder of an attempt's job, made when it is missing, which makes it the last used."""
        folder = make_folder(self._folder(key))
        os.utime(folder)
        self._sweep_jobs()
        return folder

    def newest_first(self, key: AttemptKey) -> list[Path]:
        """The checkpoints of an attempt's job; none of them has been looked into."""
        folder = self._folder(key)
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted((path for path in found if not path.name.startswith(".")), key=_step_of, reverse=True)

    def prune(self, key: AttemptKey, keep: Iterable[Path] = ()) -> None:
        """Delete all but the newest two, and those of `keep`."""
        kept = set(keep)
        for path in self.newest_first(key)[CHECKPOINTS_KEPT:]:
            if path not in kept:
                remove_tree(path)

    def sweep(self, key: AttemptKey) -> None:
        """Delete what an attempt was writing when its child was killed. Not what another fetches meanwhile."""
        for part in self._folder(key).glob(f"{PART_PREFIX}[0-9]*-{key.attempt}"):
            remove_tree(part)

    def remove(self, key: AttemptKey) -> None:
        """Delete what is kept of an attempt's job."""
        remove_tree(self._folder(key))

    def _sweep_jobs(self) -> None:
        jobs = sorted(self._root.iterdir(), key=_last_use, reverse=True)
        for job in jobs[JOBS_KEPT:]:
            remove_tree(job)

    def _folder(self, key: AttemptKey) -> Path:
        return self._root / key.file_name.rpartition("~")[0]


def _last_use(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        # Removed meanwhile, for its job is over.
        return 0


def _step_of(path: Path) -> tuple[int, str]:
    step = -1
    with contextlib.suppress(ValueError):
        step = int(path.name.partition("-")[0])
    return step, path.name
