"""What is posted: a message as JSON. Pure. docs/webhooks.md describes it; a test compares."""

import json

from headway.contract.times import rfc3339
from notifier.messages import Message, Section


def body_of(message: Message) -> str:
    """The message as the receiver reads it."""
    fields = {
        "text": message.line,
        "silent": message.is_silent,
        "sections": [_section(section) for section in message.sections],
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _section(section: Section) -> dict[str, object]:
    return {
        "event": section.event,
        "event_id": section.event_id,
        "occur_time": rfc3339(section.occur_time),
        "about": section.about,
        "project": section.project,
        "job_id": section.job_id,
        "title": section.title,
        "text": section.text,
        "colour": section.colour,
        "is_terminal": section.is_terminal,
        "failure_class": section.failure_class,
        "facts": [{"name": fact.name, "value": fact.value} for fact in section.facts],
        "earlier": [
            {"event": entry.event, "event_id": entry.event_id, "occur_time": rfc3339(entry.occur_time)}
            for entry in section.earlier
        ],
    }
