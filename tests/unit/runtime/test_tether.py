"""The tether between a process and its children."""

import os
import signal
import subprocess
import sys

import psutil

from headway.runtime.tether import tethered
from headway.testing.eventually import eventually

PARENT = """
import subprocess, sys
from headway.runtime.tether import tethered
child = subprocess.Popen(tethered([sys.executable, "-c", "import time; time.sleep(60)"]))
print(child.pid, flush=True)
child.wait()
"""


async def test_a_child_does_not_outlive_its_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:  # noqa: ASYNC220
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
        await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_the_command_takes_the_tethers_place() -> None:
    done = subprocess.run(
        tethered([sys.executable, "-c", "import os; print(os.getppid())"]), capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == os.getpid()


def test_a_child_of_a_parent_that_has_gone_does_not_start() -> None:
    command = tethered([sys.executable, "-c", "print('alive')"])
    command[3] = "1"
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 1
