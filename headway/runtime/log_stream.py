"""Where log lines go: a stream that never fails its writer.

Log files lie on the disk that may run full. A service must not die of a line that it could not write about that, so
such a line is dropped, and the next one that can be written says how many were (P28).
"""

import io
import os
from typing import TextIO


class LogStream:
    """The end of every log line of a process; `write` and `flush` are as of a text file, and never raise OSError."""

    def __init__(self, target: TextIO) -> None:
        """Args: target: where to write; by its descriptor when it has one, so that no buffer holds on to lines."""
        self._target = target
        self._descriptor = _descriptor_of(target)
        self._num_dropped = 0
        self._is_torn = False

    def write(self, text: str) -> int:
        """Write a line with its end, or drop it."""
        try:
            self._put(self._notice() + text if self._num_dropped else text)
        except OSError:
            self._num_dropped += 1
        else:
            self._num_dropped = 0
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def _notice(self) -> str:
        return f'{{"event": "{self._num_dropped} log lines were dropped: the disk was full", "level": "warning"}}\n'

    def _put(self, text: str) -> None:
        if self._descriptor is None:
            self._target.write(text)
            self._target.flush()
            return
        # After half a line, which a full disk may leave, the next one begins on a line of its own.
        left = memoryview((("\n" if self._is_torn else "") + text).encode("utf-8", "backslashreplace"))
        while left:
            num_bytes = os.write(self._descriptor, left)
            left = left[num_bytes:]
            self._is_torn = bool(left)


class LineLogger:
    """What structlog hands finished lines to: each level is a method that writes the line."""

    def __init__(self, stream: LogStream) -> None:
        """Args: stream: where lines go."""
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a line."""
        self._stream.write(line + "\n")

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _descriptor_of(target: TextIO) -> int | None:
    try:
        return target.fileno()
    except (OSError, io.UnsupportedOperation, AttributeError):
        return None
