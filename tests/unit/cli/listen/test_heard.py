import json

import pytest

from headway.cli.listen.heard import read_event

JOB = "j" + "a" * 25


def test_an_event_is_one_line_without_what_its_subject_says() -> None:
    data = {"run_id": JOB, "project": "default", "attempt": 1, "reason": "", "loss": 0.123456, "metrics": {"a": 1}}
    event = read_event(
        "trainer.train.completed.v1.default.j", json.dumps({"time": "2026-11-22T12:00:01Z", "data": data}).encode()
    )
    assert event.line == "12:00:01  trainer.train.completed.v1.default.j  attempt=1 loss=0.1235 metrics=1 values"
    assert event.run_id == JOB


def test_log_lines_are_shown_by_what_they_say() -> None:
    lines = [{"number": "1", "message": "Step 1: Loading data"}, {"number": "2", "message": "Step 2: Training"}, 5, {}]
    event = read_event("trainer.log.v1.default.j", json.dumps({"data": {"run_id": JOB, "lines": lines}}).encode())
    assert event.line.endswith("lines=Step 1: Loading data / Step 2: Training / 5 / ")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"data": 5}', b'{"id": [], "type": 7, "time": null}', b"[" * 100_000, b"null"]
)
def test_what_is_no_event_is_shown_by_its_subject(body: bytes) -> None:
    event = read_event("trainer.x", body)
    assert "trainer.x" in event.line
    assert (event.event_id, event.event_type, event.run_id, event.is_readable) == ("", "", "", False)


def test_a_field_of_another_kind_than_text_is_no_word() -> None:
    event = read_event("trainer.x", b'{"data": {"run_id": 5, "host": "a"}}')
    assert (event.run_id, event.word("host"), event.word("none")) == ("", "a", "")
