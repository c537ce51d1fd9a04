"""The envelope of events, and what is taken out of their data."""

import json
from datetime import UTC, datetime

import pytest

from headway.contract.cloud_events import TEXT_MAX_CHARACTERS, Envelope, OutwardEvent, as_written, cloud_event
from headway.contract.subjects import MAX_EVENT_BYTES
from headway.runtime.redaction import Redactor
from headway.v1.events_pb2 import JobEvaluatedEvent, JobFailedEvent, ModelRegisteredEvent

NOW = datetime(2026, 11, 1, 12, 0, 0, 5_000, tzinfo=UTC)
ABOUT = Envelope("trainer.train.failed.v1", "j:4", "projects/p/jobs/j", NOW)
# Made up: the form counts. In parts, as this file itself may hold nothing of that form.
A_PATH = "/" + "home/u/corpus/x.txt"
TOKEN = "MTAxNTU4NDg3NDM2MjM0NTY3OA" + ".G" + "abcde.x" + "A" * 37
SECRETS = {
    "a key of headway": ("key hw_live_0123456789abcdef refused", "hw_live_0123"),
    "a path": (f"cannot read {A_PATH} at all", A_PATH),
    "a Discord token": (f"login with {TOKEN} failed", TOKEN),
}


def data_of(body: bytes) -> dict[str, object]:
    data: dict[str, object] = json.loads(body)["data"]
    return data


def test_the_envelope_is_a_cloud_event() -> None:
    event = json.loads(cloud_event(ABOUT, JobFailedEvent(), as_written))
    assert {name: event[name] for name in event if name != "data"} == {
        "specversion": "1.0",
        "id": "j:4",
        "source": "/headway",
        "type": "trainer.train.failed.v1",
        "subject": "projects/p/jobs/j",
        "time": "2026-11-01T12:00:00.005Z",
        "datacontenttype": "application/json",
    }


@pytest.mark.parametrize("planted", SECRETS.values(), ids=SECRETS.keys())
def test_secrets_and_paths_are_in_no_text_of_an_event(planted: tuple[str, str]) -> None:
    """F-5, P30."""
    text, secret = planted
    clean = Redactor().clean
    assert secret.encode() not in cloud_event(ABOUT, JobFailedEvent(message=text, host=text, user_id=text), clean)
    assert secret.encode() not in cloud_event(ABOUT, JobEvaluatedEvent(metrics={text: 1.0}), clean)


def test_what_an_event_is_about_stays_as_the_subject_has_it() -> None:
    version = f"projects/p/models/m/versions/{'j' * 26}"
    registered = ModelRegisteredEvent(
        model_version=version, run_id="j", project="p", digest="sha256:00", headline_metric="m/sha256:00/j"
    )
    data = data_of(cloud_event(ABOUT, registered, lambda text: "<taken out>" if "/" in text else text))
    assert (data["model_version"], data["run_id"], data["digest"]) == (version, "j", "sha256:00")
    assert data["headline_metric"] == "<taken out>"


def test_the_longest_text_fits_into_a_message() -> None:
    """An event that is too large would be left out, and its place in the sequence would stay empty for ever."""
    longest = JobFailedEvent(message="\U0001f600" * 100_000)
    body = cloud_event(ABOUT, longest, as_written)
    assert len(str(data_of(body)["message"])) == TEXT_MAX_CHARACTERS
    assert len(body) < MAX_EVENT_BYTES - 4096


def test_headers_tell_what_the_body_is() -> None:
    assert OutwardEvent("s", "i", b"").headers == {"Content-Type": "application/cloudevents+json"}
