"""Programs beside a cluster that end with the test, however it ends."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headway.runtime.tether import tethered


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The program for the length of the block; it is killed at the end."""
    with log.open("ab") as output:
        process = subprocess.Popen(tethered(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
