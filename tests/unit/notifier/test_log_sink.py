"""The sink that writes into the log."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from headway.runtime.logs import get_logger
from notifier import log_sink
from notifier.log_sink import LogSink
from notifier.messages import Fact, Message, clean_message
from notifier.rules import section_of
from notifier.sinks import SinkRefused, SinkUnavailable
from tests.unit.notifier.doubles import a_finished_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JOB_ID = "j" + "a" * 25


def a_message() -> Message:
    happenings = happenings_of(a_finished_job(NOW, job_id=JOB_ID))[2:]
    return clean_message([section_of(happening, now=NOW) for happening in happenings], str)


class BrokenStream(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, f"nobody reads {len(text)} characters")


async def test_each_message_is_one_readable_line_and_each_event_one_structured_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_sink, "_log", get_logger("test"))  # One that no other test has used.
    readable = io.StringIO()
    with capture_logs() as lines:
        await LogSink(readable).send(a_message())
    assert readable.getvalue() == a_message().line + "\n"
    assert [(line["event"], line["what"], line["event_id"]) for line in lines] == [
        ("told", "trainer.train.evaluated", f"{JOB_ID}:3"),
        ("told", "trainer.train.completed", f"{JOB_ID}:4"),
    ]
    assert lines[1]["title"] == "Training completed"
    assert lines[1]["facts"]["accuracy"] == "0.96"
    assert lines[1]["occurred"] == "2026-11-01T12:00:00.000Z"


@pytest.mark.parametrize("name", ["event", "level", "what", "exc_info", "timestamp", "self"])
async def test_a_figure_may_have_any_name(name: str) -> None:
    section = replace(a_message().sections[0], facts=(Fact(name, "0.5"),))
    readable = io.StringIO()
    await LogSink(readable).send(Message((section,)))
    assert f"{name} 0.5" in readable.getvalue()


async def test_a_broken_pipe_is_an_outage() -> None:
    with pytest.raises(SinkUnavailable):
        await LogSink(BrokenStream()).send(a_message())


async def test_a_closed_stream_is_an_outage() -> None:
    closed = io.StringIO()
    closed.close()
    with pytest.raises(SinkUnavailable):
        await LogSink(closed).send(a_message())


async def test_a_line_that_the_terminal_has_no_characters_for_is_refused(tmp_path: Path) -> None:
    """Not an outage: it would be tried for ever, and everything behind it would wait."""
    section = section_of(happenings_of(a_finished_job(NOW))[0], now=NOW)
    message = clean_message([section, section], lambda text: text + "é")
    with (tmp_path / "out").open("w", encoding="ascii") as out, pytest.raises(SinkRefused):
        await LogSink(out).send(message)
