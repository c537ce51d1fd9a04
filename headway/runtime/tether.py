"""Run as a script: ties this process to the one that started it, then becomes the command.

    python tether.py PARENT_PID COMMAND [ARGUMENT ...]

The kernel kills the process when its parent ends in any way, kill -9 included, so that nothing is left behind. This
is a program of its own because a `preexec_fn` would fork a process that has grpc's threads in it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` as a child of this process which does not outlive it (Linux)."""
    return [sys.executable, "-ISE", __file__, str(os.getpid()), *command]


def main() -> None:
    """Tie, then become the command; leaves with 1 when the parent has gone already."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the command line of our own supervisor, no shell


if __name__ == "__main__":
    main()
