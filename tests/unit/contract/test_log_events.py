"""Log lines as events."""

import json

from headway.contract.log_events import LINES_PER_EVENT_MAX, log_events
from headway.contract.subjects import MAX_EVENT_BYTES
from headway.testing.builders import a_claimed_record, a_job
from headway.v1.jobs_service_pb2 import LogLine

JOB = a_job(a_claimed_record())


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(number=number, attempt=1, message=text) for number, text in enumerate(texts, 1)]


def numbers(body: bytes) -> list[int]:
    return [int(line["number"]) for line in json.loads(body)["data"]["lines"]]


def test_lines_travel_together_in_order() -> None:
    (event,) = log_events(JOB, "hosts/a", 1, lines("one", "two"))
    body = json.loads(event.body)
    assert body["id"].endswith(":log:1:1")
    assert [line["message"] for line in body["data"]["lines"]] == ["one", "two"]
    assert event.message_id == ""


def test_each_event_fits_and_no_line_is_lost() -> None:
    texts = ["ä" * 4096] * (LINES_PER_EVENT_MAX + 7)
    told = list(log_events(JOB, "hosts/a", 1, lines(*texts)))
    assert all(len(event.body) < MAX_EVENT_BYTES for event in told)
    assert [number for event in told for number in numbers(event.body)] == list(range(1, len(texts) + 1))


def test_a_line_that_alone_is_too_large_is_left_out() -> None:
    (short, monster) = lines("short", "monster")
    for at in range(32):
        monster.fields[f"field{at}"] = "\U0001f600" * 512
    assert [numbers(event.body) for event in log_events(JOB, "hosts/a", 1, [short, monster])] == [[1]]


def test_secrets_are_taken_out() -> None:
    (event,) = log_events(JOB, "hosts/a", 1, lines("a secret"), lambda text: text.replace("secret", "<redacted>"))
    assert b"a <redacted>" in event.body


def test_no_lines_make_no_event() -> None:
    assert list(log_events(JOB, "hosts/a", 1, [])) == []
