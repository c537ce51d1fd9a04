"""What is posted is what docs/webhooks.md says."""

import json
import re
from datetime import UTC, datetime

from headway.runtime.redaction import Redactor
from notifier.messages import Message, clean_message
from notifier.rules import section_of
from notifier.webhook.body import body_of
from tests.tidy.repository import ROOT
from tests.unit.notifier.doubles import a_failed_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_message() -> Message:
    queued, started, failed = happenings_of(a_failed_job(NOW, message="the disk of Größe 3 is full"))
    return clean_message([section_of(failed, [queued, started], now=NOW)], Redactor().clean, is_silent=True)


def test_the_body_says_what_happened_for_people_and_for_programs() -> None:
    message = a_message()
    body = json.loads(body_of(message))
    [section] = body["sections"]
    assert (body["text"], body["silent"]) == (message.line, True)
    assert "Größe" in body["text"]
    assert section["event"] == "trainer.train.failed"
    assert section["occur_time"] == "2026-11-01T12:00:00.000Z"
    assert (section["is_terminal"], section["failure_class"]) == (True, "FATAL")
    assert section["about"] == f"projects/{section['project']}/jobs/{section['job_id']}"
    assert {"name": "reason", "value": "DISK_FULL"} in section["facts"]
    assert [entry["event"] for entry in section["earlier"]] == ["trainer.train.queued", "trainer.train.started"]


def test_the_page_names_every_field_and_no_other() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([a-z][\w.\[\]]+)` \|", page, flags=re.MULTILINE))
    assert named == set(_fields(json.loads(body_of(a_message())), ""))


def _fields(value: object, place: str) -> list[str]:
    if isinstance(value, dict):
        return [name for key, inner in value.items() for name in _fields(inner, f"{place}.{key}" if place else key)]
    if isinstance(value, list):
        return sorted({name for inner in value for name in _fields(inner, f"{place}[]")})
    return [place]
