"""The one table of JetStream buckets and streams, and the subjects of events.

Pure data: `headway.runtime.streams` applies it, `docs/asyncapi.yaml` is generated from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

_KIB = 1024
_MIB = 1024 * _KIB
_GIB = 1024 * _MIB
_TOKEN = re.compile(r"[A-Za-z0-9_=-]{1,128}")

MAX_RECORD_BYTES = 512 * _KIB
"""Largest value of a bucket. Below the server's max_payload of 1 MiB, which would close the connection for good."""

MAX_EVENT_BYTES = 64 * _KIB
"""Largest event or batch of log lines."""

NO_LIMIT = -1


class Storage(StrEnum):
    """Where a stream keeps its messages."""

    FILE = "file"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketSpec:
    """One key-value bucket: history 1, protobuf bytes as values, compare-and-set on the revision.

    Attributes:
        name: lower-case word; the stream behind it is `KV_<name>`.
        description: what one entry is, for people.
        max_bytes: bound of the whole bucket, reserved at the server; a write beyond it is refused.
        max_value_bytes: bound of one value with its headers.
        marker_ttl: how long the marker of an expired entry stays for followers to see; whole seconds.
    """

    name: str
    description: str
    storage: Storage = Storage.FILE
    max_bytes: int = _GIB
    max_value_bytes: int = MAX_RECORD_BYTES
    marker_ttl: timedelta = timedelta(hours=1)

    @property
    def stream_name(self) -> str:
        """The stream behind the bucket."""
        return f"KV_{self.name}"

    @property
    def prefix(self) -> str:
        """What comes before the key in a subject."""
        return f"$KV.{self.name}."

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject of the bucket, as one pattern."""
        return (f"$KV.{self.name}.>",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """One stream of events, progress or log lines.

    Attributes:
        name: upper-case word.
        subjects: patterns; no two streams share a subject.
        description: what one message is, for people.
        max_age: after this a message is dropped.
        max_bytes: bound of the whole stream, reserved at the server; beyond it the oldest messages are dropped.
        max_msgs_per_subject: newest messages kept for a subject; -1 for all.
        duplicate_window: how long the server remembers message ids.
        max_message_bytes: bound of one message with its headers.
    """

    name: str
    subjects: tuple[str, ...]
    description: str
    storage: Storage
    max_age: timedelta
    max_bytes: int
    max_msgs_per_subject: int = NO_LIMIT
    duplicate_window: timedelta = timedelta(minutes=2)
    max_message_bytes: int = MAX_EVENT_BYTES

    @property
    def stream_name(self) -> str:
        """The stream itself; the same attribute as a bucket has."""
        return self.name


JOB_EVENTS = (
    "queued",
    "started",
    "checkpoint",
    "evaluated",
    "paused",
    "resumed",
    "moved",
    "completed",
    "failed",
    "cancelled",
)
MODEL_EVENTS = ("registered", "promoted", "rolled_back")
HOST_EVENTS = ("joined", "lost", "drained")

JOBS = BucketSpec(
    name="jobs",
    description="One job: spec, state, history. Key: job id.",
    max_bytes=4 * _GIB,
)
DATASETS = BucketSpec(name="datasets", description="One dataset with its versions. Key: project/dataset.")
MODELS = BucketSpec(name="models", description="One model with its versions. Key: project/model.")
HOSTS = BucketSpec(
    name="hosts",
    description="One trainer host as last synchronized; gone when it stays silent. Key: host id.",
    max_bytes=64 * _MIB,
    marker_ttl=timedelta(minutes=5),
)
SETTINGS = BucketSpec(
    name="settings",
    description="Settings changed at run time, and which store this is. Keys: execution, store.",
    max_bytes=_MIB,
)
KEYS = BucketSpec(
    name="keys", description="One key's digest and rights, never the key. Key: key id.", max_bytes=64 * _MIB
)
LEASES = BucketSpec(
    name="leases", description="Which scheduler leads, renewed all the time. Key: scheduler.", max_bytes=_MIB
)
NOTIFIER = BucketSpec(name="notifier", description="What the notifier has delivered and watches.", max_bytes=256 * _MIB)

EVENTS = StreamSpec(
    name="EVENTS",
    subjects=(
        *(f"trainer.train.{event}.v1.*.*" for event in JOB_EVENTS),
        *(f"trainer.model.{event}.v1.*.*" for event in MODEL_EVENTS),
        *(f"trainer.host.{event}.v1.*" for event in HOST_EVENTS),
    ),
    description="Life-cycle facts as CloudEvents, each published once.",
    storage=Storage.FILE,
    max_age=timedelta(days=30),
    max_bytes=4 * _GIB,
    duplicate_window=timedelta(minutes=10),
)
PROGRESS = StreamSpec(
    name="PROGRESS",
    subjects=("trainer.train.progress.v1.*.*",),
    description="The newest progress of each job; lossy.",
    storage=Storage.MEMORY,
    max_age=timedelta(days=1),
    max_bytes=64 * _MIB,
    max_msgs_per_subject=1,
)
LOGS = StreamSpec(
    name="LOGS",
    subjects=("trainer.log.v1.*.*",),
    description="Recent log lines of each job, in batches; lossy.",
    storage=Storage.MEMORY,
    max_age=timedelta(days=1),
    max_bytes=128 * _MIB,
    max_msgs_per_subject=1000,
)

JOB_EVENTS_CONSUMER = "scheduler-events"
"""The durable consumer of the bucket `jobs` that turns transitions into events: what it has acknowledged is out."""

BUCKETS = (JOBS, DATASETS, MODELS, HOSTS, SETTINGS, KEYS, LEASES, NOTIFIER)
STREAMS = (EVENTS, PROGRESS, LOGS)
BUCKETS_BY_NAME: Mapping[str, BucketSpec] = MappingProxyType({bucket.name: bucket for bucket in BUCKETS})


def subject_token(text: str) -> str:
    """An id as one token of a subject: `.` becomes `=`.

    Raises:
        ValueError: when the text holds anything a token may not hold, or is empty or over 128 characters.
    """
    token = text.replace(".", "=")
    if _TOKEN.fullmatch(token) is None:
        raise ValueError(f"{text[:64]!r} cannot be a token of a subject: use letters, digits, '_', '-' and '.'")
    return token


def job_event_subject(event: str, project: str, job: str) -> str:
    """Where a job's event is published; `event` is one of JOB_EVENTS."""
    return f"trainer.train.{_known(event, JOB_EVENTS)}.v1.{subject_token(project)}.{subject_token(job)}"


def all_job_events_subject(project: str, job: str) -> str:
    """The pattern of every life-cycle event of one job."""
    return f"trainer.train.*.v1.{subject_token(project)}.{subject_token(job)}"


def every_job_event_subject(event: str) -> str:
    """The pattern of one event of every job; `event` is one of JOB_EVENTS."""
    return f"trainer.train.{_known(event, JOB_EVENTS)}.v1.*.*"


def model_event_subject(event: str, project: str, model: str) -> str:
    """Where a model's event is published; `event` is one of MODEL_EVENTS."""
    return f"trainer.model.{_known(event, MODEL_EVENTS)}.v1.{subject_token(project)}.{subject_token(model)}"


def host_event_subject(event: str, host: str) -> str:
    """Where a host's event is published; `event` is one of HOST_EVENTS."""
    return f"trainer.host.{_known(event, HOST_EVENTS)}.v1.{subject_token(host)}"


def progress_subject(project: str, job: str) -> str:
    """Where a job's progress is published."""
    return f"trainer.train.progress.v1.{subject_token(project)}.{subject_token(job)}"


def log_subject(project: str, job: str) -> str:
    """Where a job's log lines are published."""
    return f"trainer.log.v1.{subject_token(project)}.{subject_token(job)}"


def _known(event: str, events: tuple[str, ...]) -> str:
    if event not in events:
        raise ValueError(f"{event!r} is none of the events {', '.join(events)}")
    return event
