"""The envelope of every event: a CloudEvent in structured JSON mode, after the NATS binding of CloudEvents 1.0.

Its `data` is the proto3 JSON of a message of events.proto, with the field names as they are written there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from headway.contract.event_catalogue import JobEventData
from headway.contract.ids import JobName
from headway.contract.limits import LOG_MESSAGE_MAX_CHARACTERS
from headway.contract.times import rfc3339
from headway.v1.jobs_pb2 import Job

SOURCE = "/headway"
CONTENT_TYPE = "application/cloudevents+json"
SPEC_VERSION = "1.0"
DATA_CONTENT_TYPE = "application/json"
TEXT_MAX_CHARACTERS = LOG_MESSAGE_MAX_CHARACTERS
"""Of a text that somebody wrote: escaped as JSON, the longest one still fits into MAX_EVENT_BYTES."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

Clean: TypeAlias = Callable[[str], str]
"""Takes secrets and absolute paths out of a text: `headway.runtime.redaction`, which this package must not import."""

# What says whom an event is about. The subject names the same, and readers compare the two.
_IDENTITIES = frozenset({"request_id", "run_id", "project", "model_version", "previous_model_version", "digest"})


@dataclass(frozen=True, slots=True)
class OutwardEvent:
    """One event, ready to be published.

    Attributes:
        subject: NATS subject.
        message_id: JetStream message id and CloudEvents id; empty for progress and logs, which are not deduplicated.
        body: the CloudEvent as JSON, UTF-8.
    """

    subject: str
    message_id: str
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers to publish it with: they tell a reader of any transport what the body is."""
        return {"Content-Type": CONTENT_TYPE}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an event says outside its data.

    Attributes:
        event_type: such as `trainer.train.queued.v1`.
        event_id: the same for the same event, for ever.
        subject: resource name of what it is about.
        occur_time: when it happened.
    """

    event_type: str
    event_id: str
    subject: str
    occur_time: datetime


def as_written(text: str) -> str:
    """Leaves a text as it is: for texts that no person and no host wrote."""
    return text


def cloud_event(about: Envelope, data: Message, clean: Clean) -> bytes:
    """The body of an event; `clean` goes over every text of the data, of a name or of an error alike."""
    fields: Json = MessageToDict(data, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    envelope = {
        "specversion": SPEC_VERSION,
        "id": about.event_id,
        "source": SOURCE,
        "type": about.event_type,
        "subject": about.subject,
        "time": rfc3339(about.occur_time),
        "datacontenttype": DATA_CONTENT_TYPE,
        "data": _tidied(fields, clean),
    }
    return json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode()


def fill_common(data: JobEventData, job: Job, *, attempt: int, host: str, sequence: int) -> None:
    """Set what every event of a job says; `host` is `hosts/{host}` or empty."""
    name = JobName.parse(job.name)
    data.request_id = name.job_id
    data.run_id = name.job_id
    data.user_id = job.user_id
    data.project = name.project
    data.kind = job.kind
    data.attempt = attempt
    data.host = host.removeprefix("hosts/")
    data.sequence = sequence


def _tidied(value: Json, clean: Clean) -> Json:
    """The same without secrets and paths in any text or name, and with long texts cut."""
    if isinstance(value, dict):
        return {clean(name): inner if name in _IDENTITIES else _tidied(inner, clean) for name, inner in value.items()}
    if isinstance(value, list):
        return [_tidied(inner, clean) for inner in value]
    return clean(value)[:TEXT_MAX_CHARACTERS] if isinstance(value, str) else value
