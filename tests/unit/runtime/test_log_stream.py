"""Log lines that cannot be written hurt nobody (P28)."""

import errno
import io
import os
from pathlib import Path

import pytest

from headway.runtime.log_stream import LineLogger, LogStream


def test_lines_arrive_as_they_are_written(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        logger = LineLogger(LogStream(file))
        logger.info("one")
        logger.error("two ä")
        assert (tmp_path / "log").read_text(encoding="utf-8") == "one\ntwo ä\n"


def test_a_stream_without_a_descriptor_is_written_to_as_it_is() -> None:
    target = io.StringIO()
    LogStream(target).write("one\n")
    assert target.getvalue() == "one\n"


def test_a_full_disk_drops_lines_and_says_later_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = 8
    write = os.write

    def full(descriptor: int, content: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, content[:room])
        room -= written
        return written

    with (tmp_path / "log").open("w") as file:
        stream = LogStream(file)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            for line in ("first\n", "second\n", "third\n"):
                assert stream.write(line) == len(line)
        stream.write("fourth\n")
        stream.write("fifth\n")
    assert (tmp_path / "log").read_text().splitlines() == [
        "first",
        "se",
        '{"event": "2 log lines were dropped: the disk was full", "level": "warning"}',
        "fourth",
        "fifth",
    ]
