import json
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from headway.cli.events import DEFAULT_NATS_URL, find_nats_url, is_wanted, read_event

JOB = "j" + "a" * 25


def message(subject: str, data: bytes) -> Msg:
    return Msg(_client=Client(), subject=subject, data=data)


def test_an_event_is_one_line_without_what_its_subject_says() -> None:
    data = {"run_id": JOB, "project": "default", "attempt": 1, "reason": "", "loss": 0.123456, "metrics": {"a": 1}}
    event = json.dumps({"time": "2026-11-22T12:00:01Z", "data": data}).encode()
    line = read_event(message("trainer.train.completed.v1.default.j", event)).line
    assert line == "12:00:01  trainer.train.completed.v1.default.j  attempt=1 loss=0.1235 metrics=1 values"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"data": 5}'])
def test_what_is_no_event_is_shown_by_its_subject(data: bytes) -> None:
    assert "trainer.x" in read_event(message("trainer.x", data)).line


@pytest.mark.parametrize(
    ("subject", "job", "everything", "wanted"),
    [
        (f"trainer.train.queued.v1.default.{JOB}", "", False, True),
        (f"trainer.train.progress.v1.default.{JOB}", "", False, False),
        (f"trainer.train.progress.v1.default.{JOB}", "", True, True),
        (f"trainer.log.v1.default.{JOB}", "", False, False),
        (f"trainer.train.queued.v1.default.{JOB}", JOB, False, True),
        (f"trainer.train.queued.v1.default.{JOB}", f"projects/default/jobs/{JOB}", False, True),
        ("trainer.model.registered.v1.default.iris", JOB, False, False),
    ],
)
def test_only_what_was_asked_for_is_shown(subject: str, job: str, everything: bool, wanted: bool) -> None:
    assert is_wanted(subject, job, everything=everything) is wanted


def test_nats_is_found_where_the_supervisor_said(tmp_path: Path) -> None:
    assert find_nats_url(tmp_path) == DEFAULT_NATS_URL
    (tmp_path / "run.json").write_text('{"nats_url": "nats://127.0.0.1:9"}', encoding="utf-8")
    assert find_nats_url(tmp_path) == "nats://127.0.0.1:9"
