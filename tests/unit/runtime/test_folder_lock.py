import subprocess
import sys
from pathlib import Path

import pytest

from headway.contract.errors import Contention
from headway.runtime.folder_lock import folder_lock

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


def test_a_folder_has_one_holder_at_a_time(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a" / "b", Contention("held")):
        with pytest.raises(Contention, match="held"), folder_lock(tmp_path / "a" / "b", Contention("held")):
            """Not reached."""
        with folder_lock(tmp_path / "another", Contention("held")):
            """Another folder is nobody's business."""
    with folder_lock(tmp_path / "a" / "b", Contention("held")):
        """Let go, it can be held again."""


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(Contention), folder_lock(tmp_path, Contention("held")):
            """Not reached."""
        holder.kill()
    with folder_lock(tmp_path, Contention("held")):
        """The kernel cleaned up."""


def test_what_is_locked_is_private(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a", Contention("held")):
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
