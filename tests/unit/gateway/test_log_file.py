"""One job's log file."""

import errno
import os
from pathlib import Path

import pytest

from gateway.log_file import FULL_MESSAGE, LINES_PER_MARK, LogFile
from headway.contract.times import timestamp
from headway.v1.jobs_service_pb2 import LogLine
from tests.unit.gateway.builders import NOW


def lines(first: int, last: int) -> list[LogLine]:
    return [LogLine(number=number, level="info", message=f"line {number}") for number in range(first, last + 1)]


def numbers(found: list[LogLine]) -> list[int]:
    return [line.number for line in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j1.jsonl"


@pytest.fixture
def log(path: Path) -> LogFile:
    return LogFile(path)


def test_a_line_comes_back_as_it_was(log: LogFile) -> None:
    line = LogLine(
        number=1,
        attempt=2,
        log_time=timestamp(NOW),
        level="warning",
        message='ä "quoted" \n two',
        fields={"loss": "0.5"},
    )
    assert log.append(2, [line]) == 1
    assert log.read(1, 10) == ([line], 2)


def test_an_empty_log_has_no_lines(log: LogFile, path: Path) -> None:
    assert log.read(1, 10) == ([], 1)
    assert log.read(-5, 10) == ([], 1)
    assert not path.exists()


@pytest.mark.parametrize(
    "first", [1, 2, LINES_PER_MARK - 1, LINES_PER_MARK, LINES_PER_MARK + 1, 2 * LINES_PER_MARK + 7, 600]
)
def test_reading_begins_at_any_line(log: LogFile, first: int) -> None:
    log.append(1, lines(1, 600))
    found, after = log.read(first, 5)
    assert numbers(found) == list(range(first, min(first + 5, 601)))
    assert after == first + len(found)


@pytest.mark.parametrize(
    ("first", "expected"), [(-1, [600]), (-3, [598, 599, 600]), (-600, [1, 2, 3]), (-10_000, [1, 2, 3])]
)
def test_a_negative_line_counts_from_the_end(log: LogFile, first: int, expected: list[int]) -> None:
    log.append(1, lines(1, 600))
    assert numbers(log.read(first, 3)[0]) == expected


def test_a_position_behind_the_end_waits_there(log: LogFile) -> None:
    log.append(1, lines(1, 3))
    assert log.read(4, 10) == ([], 4)
    assert log.read(9, 10) == ([], 9)


def test_a_repeated_number_of_an_attempt_is_dropped(log: LogFile) -> None:
    assert log.append(1, lines(1, 5)) == 5
    assert log.append(1, lines(3, 7)) == 2
    assert log.append(1, lines(1, 7)) == 0
    assert numbers(log.read(1, 100)[0]) == [1, 2, 3, 4, 5, 6, 7]


def test_each_attempt_counts_for_itself(log: LogFile) -> None:
    log.append(1, lines(1, 2))
    log.append(2, lines(1, 2))
    assert log.append(1, lines(2, 3)) == 1
    assert [(line.attempt, line.number) for line in log.read(1, 100)[0]] == [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3)]


def test_a_restarted_gateway_knows_what_it_has(log: LogFile, path: Path) -> None:
    log.append(1, lines(1, 600))
    again = LogFile(path)
    assert again.append(1, lines(599, 602)) == 2
    assert numbers(again.read(-4, 10)[0]) == [599, 600, 601, 602]


def test_a_torn_last_line_is_cut_off_and_sent_again(log: LogFile, path: Path) -> None:
    log.append(1, lines(1, 3))
    with path.open("ab") as file:
        file.write(b'{"number":4,"att')
    again = LogFile(path)
    assert again.append(1, lines(1, 4)) == 1
    assert [line.message for line in again.read(1, 100)[0]] == ["line 1", "line 2", "line 3", "line 4"]


def test_a_damaged_line_does_not_hide_the_others(log: LogFile, path: Path) -> None:
    log.append(1, lines(1, 3))
    content = path.read_bytes().splitlines(keepends=True)
    content[1] = b"\x00\xff garbage\n"
    path.write_bytes(b"".join(content))
    found, _ = LogFile(path).read(1, 10)
    assert [line.message for line in found] == ["line 1", "this line of the log cannot be read", "line 3"]


def test_a_log_is_bounded_and_says_so(path: Path) -> None:
    log = LogFile(path, max_bytes=2000)
    for start in range(1, 1000, 10):
        log.append(1, lines(start, start + 9))
    found, _ = log.read(1, 500)
    assert found[-1].message == FULL_MESSAGE
    assert [line.message for line in found].count(FULL_MESSAGE) == 1
    assert path.stat().st_size < 2500


def test_text_that_is_no_unicode_is_kept_readable(log: LogFile) -> None:
    log.append(1, [LogLine(number=1, message="nul \0 and \u202e")])
    assert log.read(1, 1)[0][0].message == "nul \0 and \u202e"


def test_a_full_disk_costs_no_line_and_tears_none_p28(
    log: LogFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(1, lines(1, 2))
    room = 30
    write = os.write

    def full(descriptor: int, content: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, content[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                log.append(1, lines(3, 9))
    # What was not kept is sent again, and is not taken for a repetition.
    assert log.append(1, lines(3, 9)) == 7
    assert numbers(log.read(1, 100)[0]) == list(range(1, 10))
    assert numbers(LogFile(path).read(1, 100)[0]) == list(range(1, 10))
