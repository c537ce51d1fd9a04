"""Moves the wall clock of single processes while they run; their monotonic clock goes on as if nothing had happened.

libfaketime stands between a process and the C library, so that everything in it sees the jump: Python, gRPC, SQLite.
"""

import importlib.util
from pathlib import Path


class WallClock:
    """The wall clock of every process that was started with `environ`."""

    def __init__(self, path: Path) -> None:
        """Begin with the true time.

        Args:
            path: a file of the test's that says how far off the clock is.
        """
        self._path = path
        self.set(0)

    @property
    def environ(self) -> dict[str, str]:
        """What a process has to be started with; its children inherit it."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # The times of files stay as they are: after a jump forward they look a day old, as they would in life.
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """From now on the clock is so far ahead of the true time; behind it when negative."""
        part = self._path.with_suffix(".part")
        part.write_text(f"{seconds:+d}\n", encoding="utf-8")
        part.replace(self._path)


def _library() -> Path:
    found = importlib.util.find_spec("libfaketime")
    assert found is not None, "libfaketime is not installed; run: make setup"
    assert found.origin is not None
    return Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
