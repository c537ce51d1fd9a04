"""An event as a listener hears it: a CloudEvent, read without trust."""

import json
from dataclasses import dataclass, field
from datetime import datetime

_SAID_ALREADY = frozenset(
    {"run_id", "request_id", "project", "kind", "user_id", "sequence", "previous_sequence", "status", "queue"}
)


@dataclass(frozen=True, slots=True)
class HeardEvent:
    """One event.

    Attributes:
        subject: that it came on; the server made sure of its form.
        body: as it is on the wire.
        event_id: of the CloudEvent; empty when the body is none.
        event_type: such as `trainer.train.completed.v1`.
        time: as the event says it.
        about: the resource that it is about.
        data: its fields.
        stored: when the stream took it, by the server's clock; None where it comes from no stream.
    """

    subject: str
    body: bytes
    event_id: str = ""
    event_type: str = ""
    time: str = ""
    about: str = ""
    data: dict[str, object] = field(default_factory=dict)
    stored: datetime | None = None

    @property
    def line(self) -> str:
        """The event on one line, without what its subject says already."""
        shown = ((name, value) for name, value in self.data.items() if name not in _SAID_ALREADY and value)
        return f"{self.time[11:19]}  {self.subject}  {' '.join(f'{name}={_short(value)}' for name, value in shown)}"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_readable(self) -> bool:
        """Whether it is an event at all."""
        return bool(self.event_type)

    @property
    def run_id(self) -> str:
        """The job that it belongs to; empty for hosts."""
        return self.word("run_id")

    def word(self, name: str) -> str:
        """A field that holds a text; empty for any other."""
        return _word(self.data.get(name))


def read_event(subject: str, body: bytes, stored: datetime | None = None) -> HeardEvent:
    """An event from its CloudEvent; what is none has a subject and a body only."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return HeardEvent(subject, body, stored=stored)
    if not isinstance(event, dict):
        return HeardEvent(subject, body, stored=stored)
    data = event.get("data", {})
    return HeardEvent(
        subject,
        body,
        event_id=_word(event.get("id")),
        event_type=_word(event.get("type")),
        time=_word(event.get("time")),
        about=_word(event.get("subject")),
        data=data if isinstance(data, dict) else {},
        stored=stored,
    )


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        # Log lines: what they say is what a person wants to read.
        return " / ".join(_word(line.get("message")) if isinstance(line, dict) else str(line) for line in value)
    return f"{len(value)} values" if isinstance(value, dict) else str(value)
