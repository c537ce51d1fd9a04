"""One job's log file: appends, and reads from any line without reading what comes before. Blocking; one thread a time.

Not fsynced: a power cut may cost the last lines of a log, and lines are numbered so that the gap shows. A full disk
costs none: lines are kept all together or not at all, and whoever sent them sends them again.
"""

import os
from collections.abc import Iterator, Sequence
from io import BufferedRandom
from pathlib import Path

from gateway.log_line import from_json, to_json
from headway.runtime.logs import get_logger
from headway.v1.jobs_service_pb2 import LogLine

_log = get_logger(__name__)

LINES_PER_MARK = 256
"""An offset is remembered for every so many lines."""

LOG_MAX_BYTES = 64 * 1024 * 1024
"""Bound of one job's log; what comes after is dropped, after a line that says so."""

FULL_MESSAGE = "the log is full; further lines are dropped"


class LogFile:
    """A file of JSON lines with a sparse index in memory."""

    def __init__(self, path: Path, *, max_bytes: int = LOG_MAX_BYTES) -> None:
        """Read through what is there; a torn last line is cut off.

        Args:
            path: of the file; it need not exist.
            max_bytes: see LOG_MAX_BYTES.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._marks = [0]
        self._num_lines = 0
        self._size_bytes = 0
        self._last_numbers: dict[int, int] = {}
        if path.exists():
            self._scan()

    def append(self, attempt: int, lines: Sequence[LogLine]) -> int:
        """Keep the lines whose number is new in their attempt; returns how many that were.

        Raises:
            OSError: the disk is full or failing; none of the lines was kept, and they may be sent again.
        """
        last = self._last_numbers.get(attempt, 0)
        fresh = [line for line in lines if line.number > last]
        if not fresh or self._size_bytes > self._max_bytes:
            return 0
        texts = self._texts(attempt, fresh)
        self._write(b"".join(texts))
        # Only what is in the file counts as known: its sender drops it for good.
        self._last_numbers[attempt] = max(line.number for line in fresh)
        for text in texts:
            self._count(len(text))
        return len(fresh)

    def read(self, first_line: int, limit: int) -> tuple[list[LogLine], int]:
        """Lines from a position (from 1; negative from the end), and the position behind them."""
        first = first_line if first_line >= 0 else self._num_lines + first_line + 1
        first = max(1, first)
        if first > self._num_lines:
            return [], max(first, self._num_lines + 1)
        lines: list[LogLine] = []
        with self._path.open("rb") as file:
            mark = (first - 1) // LINES_PER_MARK
            file.seek(self._marks[mark])
            for position, text in enumerate(file, start=mark * LINES_PER_MARK + 1):
                if position >= first:
                    lines.append(_readable(text))
                if len(lines) == limit or position == self._num_lines:
                    break
        return lines, first + len(lines)

    def _texts(self, attempt: int, lines: Sequence[LogLine]) -> list[bytes]:
        """What is to be appended, up to the bound of the file and a word about it."""
        texts: list[bytes] = []
        size_bytes = self._size_bytes
        for line in lines:
            texts.append(_text(attempt, line))
            size_bytes += len(texts[-1])
            if size_bytes > self._max_bytes:
                texts.append(_text(attempt, LogLine(number=line.number, level="warning", message=FULL_MESSAGE)))
                break
        return texts

    def _write(self, content: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            # Half a line would swallow the next one.
            os.ftruncate(descriptor, self._size_bytes)
            raise
        finally:
            os.close(descriptor)

    def _count(self, size_bytes: int) -> None:
        self._num_lines += 1
        self._size_bytes += size_bytes
        if self._num_lines % LINES_PER_MARK == 0:
            self._marks.append(self._size_bytes)

    def _scan(self) -> None:
        with self._path.open("r+b") as file:
            for text in _whole_lines(file):
                line = _readable(text)
                self._last_numbers[line.attempt] = max(line.number, self._last_numbers.get(line.attempt, 0))
                self._count(len(text))
            file.truncate(self._size_bytes)


def _text(attempt: int, line: LogLine) -> bytes:
    return to_json(attempt, line).encode("utf-8", "backslashreplace") + b"\n"


def _whole_lines(file: BufferedRandom) -> Iterator[bytes]:
    for text in file:
        if not text.endswith(b"\n"):
            _log.warning("a torn log line was cut off")
            return
        yield text


def _readable(text: bytes) -> LogLine:
    try:
        return from_json(text)
    except ValueError:
        # One bad line, from a damaged disk say, does not hide the others or shift their positions.
        return LogLine(level="error", message="this line of the log cannot be read")
