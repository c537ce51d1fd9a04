"""Reads progress from the stream, and the run that an event is about. Pure; what cannot be read is passed over."""

import json

from google.protobuf.json_format import ParseDict, ParseError

from headway.contract.errors import InvalidName
from headway.contract.ids import JobName
from headway.contract.subjects import progress_subject
from headway.v1.events_pb2 import JobProgressEvent
from notifier.discord.run_view import RunProgress, progress_of

_TOKENS = 6


def run_of_subject(subject: str) -> JobName | None:
    """The run that an event's subject names; None when it names none."""
    tokens = subject.split(".")
    if len(tokens) != _TOKENS:
        return None
    try:
        return JobName.parse(JobName(tokens[4], tokens[5]).name)
    except InvalidName:
        return None


def decode_progress(subject: str, body: bytes) -> tuple[JobName, RunProgress] | None:
    """Whose progress it is and how far; None for anything else.

    Args:
        subject: where it was published; it names the run, and the body must not name another.
        body: a CloudEvent in structured JSON.
    """
    name = run_of_subject(subject)
    if name is None or subject != progress_subject(name.project, name.job_id):
        return None
    try:
        envelope: object = json.loads(body)
        data: object = envelope.get("data") if isinstance(envelope, dict) else None
        if not isinstance(data, dict):
            return None
        event = ParseDict(data, JobProgressEvent(), ignore_unknown_fields=True)
    except (ValueError, RecursionError, ParseError):
        return None
    return (name, progress_of(event)) if event.run_id == name.job_id else None
