import pytest

from gateway.log_checks import checked_lines
from headway.contract.errors import StreamProtocol
from headway.v1.jobs_service_pb2 import LogLine


def as_is(text: str) -> str:
    return text


def test_a_line_is_of_the_attempt_whose_stream_it_came_on() -> None:
    assert checked_lines([LogLine(number=1, attempt=9)], 2, as_is)[0].attempt == 2


def test_what_is_too_long_is_cut() -> None:
    line = LogLine(number=1, message="x" * 10_000)
    for at in range(100):
        line.fields[f"{at:03}" + "n" * 100] = "v" * 1000
    kept = checked_lines([line], 1, as_is)[0]
    assert len(kept.message) == 4096
    assert len(kept.fields) == 32
    assert max(map(len, kept.fields)) == 64
    assert max(map(len, kept.fields.values())) == 512


@pytest.mark.parametrize(("level", "kept"), [("error", "error"), ("", "info"), ("LOUD", "info")])
def test_a_level_that_is_unknown_is_info(level: str, kept: str) -> None:
    assert checked_lines([LogLine(number=1, level=level)], 1, as_is)[0].level == kept


def test_message_and_fields_are_cleaned() -> None:
    line = LogLine(number=1, message="secret")
    line.fields["a"] = "secret"
    kept = checked_lines([line], 1, lambda text: text.replace("secret", "***"))[0]
    assert (kept.message, kept.fields["a"]) == ("***", "***")


@pytest.mark.parametrize("lines", [[LogLine(number=0)], [LogLine(number=-1)], [LogLine(number=1)] * 501])
def test_lines_without_a_number_or_too_many_are_refused(lines: list[LogLine]) -> None:
    with pytest.raises(StreamProtocol):
        checked_lines(lines, 1, as_is)
