"""The one table of every event: its type, its data, where it is published and kept, and what it means.

Pure data, beside the streams of `subjects`. The builders in `events` make what stands here, and docs/events.md and
docs/asyncapi.yaml are generated from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from headway.contract.subjects import EVENTS, HOST_EVENTS, JOB_EVENTS, LOGS, MODEL_EVENTS, PROGRESS, StreamSpec
from headway.v1 import events_pb2 as events

VERSION = "v1"
"""Of every event. Within it fields are added, and never removed or changed."""

LifeEventData = (
    events.JobQueuedEvent
    | events.JobStartedEvent
    | events.JobCheckpointEvent
    | events.JobEvaluatedEvent
    | events.JobPausedEvent
    | events.JobResumedEvent
    | events.JobMovedEvent
    | events.JobCompletedEvent
    | events.JobFailedEvent
    | events.JobCancelledEvent
)
"""Data of the events in the life of a job."""

JobEventData = LifeEventData | events.JobProgressEvent | events.JobLogEvent
"""Data of everything that is told of a job."""

LIFE_DATA: Mapping[str, type[LifeEventData]] = MappingProxyType(
    {
        "queued": events.JobQueuedEvent,
        "started": events.JobStartedEvent,
        "checkpoint": events.JobCheckpointEvent,
        "evaluated": events.JobEvaluatedEvent,
        "paused": events.JobPausedEvent,
        "resumed": events.JobResumedEvent,
        "moved": events.JobMovedEvent,
        "completed": events.JobCompletedEvent,
        "failed": events.JobFailedEvent,
        "cancelled": events.JobCancelledEvent,
    }
)
"""Data by the event's name, in the order of JOB_EVENTS."""

MODEL_DATA: Mapping[str, type[Message]] = MappingProxyType(
    {
        "registered": events.ModelRegisteredEvent,
        "promoted": events.ModelPromotedEvent,
        "rolled_back": events.ModelRolledBackEvent,
    }
)
"""Data by the event's name, in the order of MODEL_EVENTS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """One row: one type of event.

    Attributes:
        event_type: CloudEvents type, such as `trainer.train.queued.v1`.
        data: message of events.proto whose proto3 JSON is the CloudEvent's `data`.
        stream: that keeps it.
        parameters: what follows the type in its subject, one token each.
        id_form: how its id is made.
        meaning: when it is published, in one sentence.
        is_published: whether anything publishes it yet.
    """

    event_type: str
    data: type[Message]
    stream: StreamSpec
    parameters: tuple[str, ...]
    id_form: str
    meaning: str
    is_published: bool = True

    @property
    def descriptor(self) -> Descriptor:
        """Of its data."""
        return Default().FindMessageTypeByName(self.data.DESCRIPTOR.full_name)

    @property
    def is_durable(self) -> bool:
        """Whether it is kept on disk and published exactly once by id; else it may be lost without a trace."""
        return self.stream is EVENTS

    @property
    def subject(self) -> str:
        """Where it is published, with each parameter in braces."""
        return ".".join((self.event_type, *(f"{{{name}}}" for name in self.parameters)))

    @property
    def pattern(self) -> str:
        """The subject to subscribe to for all of them."""
        return ".".join((self.event_type, *("*" for _ in self.parameters)))


def type_of(family: str, event: str) -> str:
    """Type of an event: `train` and `queued` make `trainer.train.queued.v1`."""
    return f"trainer.{family}.{event}.{VERSION}"


PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "project": "The project's id, with `=` for each `.`.",
        "job": "The job's id.",
        "model": "The model's id, with `=` for each `.`.",
        "host": "The host's id, with `=` for each `.`.",
    }
)
"""What stands in a subject. There a `.` ends a token, so it cannot be part of an id."""

_LIFE_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "queued": "The job was admitted, or is to be tried again.",
        "started": "A host was given the job's next attempt.",
        "checkpoint": "A checkpoint was committed: the next attempt goes on from it.",
        "evaluated": "The model was evaluated; the metrics are here.",
        "paused": "The job gave up its host, or its place in the queue, and waits to be resumed.",
        "resumed": "A paused job waits for a host again.",
        "moved": "The job's host was lost or gave it back; the job waits for another host.",
        "completed": "The job succeeded, and its result is committed. Last event of the job.",
        "failed": "The job failed for good, or its model missed a min_score. Last event of the job.",
        "cancelled": "The job was stopped because somebody asked. Last event of the job.",
    }
)
_MODEL_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "registered": "A job's result became a version of a model.",
        "promoted": "Another version of a model is used from now on.",
        "rolled_back": "A model went back to the version that was used before.",
    }
)
_HOST_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "joined": "A trainer host takes work.",
        "lost": "A trainer host was not heard of for longer than its lease.",
        "drained": "A trainer host takes no new work and has finished what it had.",
    }
)
_LAST_JOB_EVENTS = frozenset({"completed", "failed", "cancelled"})


def _life_entry(event: str) -> EventEntry:
    return EventEntry(
        event_type=type_of("train", event),
        data=LIFE_DATA[event],
        stream=EVENTS,
        parameters=("project", "job"),
        id_form="<job>:<sequence>",
        meaning=_LIFE_MEANING[event],
    )


def _model_entry(event: str) -> EventEntry:
    is_published = event == "registered"
    return EventEntry(
        event_type=type_of("model", event),
        data=MODEL_DATA[event],
        stream=EVENTS,
        parameters=("project", "model"),
        id_form=f"<project>/<model>:<{'version' if is_published else 'sequence'}>:{event}",
        meaning=_MODEL_MEANING[event],
        is_published=is_published,
    )


def _host_entry(event: str) -> EventEntry:
    return EventEntry(
        event_type=type_of("host", event),
        data=events.HostEvent,
        stream=EVENTS,
        parameters=("host",),
        id_form=f"<host>:<boot_id>:<milliseconds>:{event}",
        meaning=_HOST_MEANING[event],
    )


PROGRESS_ENTRY = EventEntry(
    event_type=type_of("train", "progress"),
    data=events.JobProgressEvent,
    stream=PROGRESS,
    parameters=("project", "job"),
    id_form="<job>:progress:<attempt>:<nanoseconds>",
    meaning="How far an attempt is, at most ten times a second.",
)
LOG_ENTRY = EventEntry(
    event_type=f"trainer.log.{VERSION}",
    data=events.JobLogEvent,
    stream=LOGS,
    parameters=("project", "job"),
    id_form="<job>:log:<attempt>:<number of the first line>",
    meaning="Log lines of an attempt, several at a time.",
)

CATALOGUE: tuple[EventEntry, ...] = (
    *map(_life_entry, JOB_EVENTS),
    *map(_model_entry, MODEL_EVENTS),
    *map(_host_entry, HOST_EVENTS),
    PROGRESS_ENTRY,
    LOG_ENTRY,
)
BY_TYPE: Mapping[str, EventEntry] = MappingProxyType({entry.event_type: entry for entry in CATALOGUE})
LAST_EVENT_TYPES = frozenset(type_of("train", event) for event in _LAST_JOB_EVENTS)
"""Types of the events after which nothing more is told of a job."""
