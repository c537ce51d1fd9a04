"""What the notifier understands of one event, whatever it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from headway.v1 import events_pb2 as events

JobData = (
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
EventData = JobData | events.ModelRegisteredEvent | events.HostEvent

JOB_DATA: Mapping[str, type[JobData]] = MappingProxyType(
    {
        "trainer.train.queued": events.JobQueuedEvent,
        "trainer.train.started": events.JobStartedEvent,
        "trainer.train.checkpoint": events.JobCheckpointEvent,
        "trainer.train.evaluated": events.JobEvaluatedEvent,
        "trainer.train.paused": events.JobPausedEvent,
        "trainer.train.resumed": events.JobResumedEvent,
        "trainer.train.moved": events.JobMovedEvent,
        "trainer.train.completed": events.JobCompletedEvent,
        "trainer.train.failed": events.JobFailedEvent,
        "trainer.train.cancelled": events.JobCancelledEvent,
    }
)
TERMINAL_EVENTS = frozenset({"trainer.train.completed", "trainer.train.failed", "trainer.train.cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event, read and checked.

    Attributes:
        event: its type without the version, such as `trainer.train.completed`.
        event_id: the CloudEvent's id; the same event never has another.
        occur_time: when it happened, UTC.
        data: what the event says.
        project: project id; empty for hosts.
        job_id: empty where it is not about a job.
        transition_number: grows within a job; 0 where it is not about a job.
    """

    event: str
    event_id: str
    occur_time: datetime
    data: EventData
    project: str = ""
    job_id: str = ""
    transition_number: int = 0

    @property
    def is_terminal(self) -> bool:
        """Whether a job came to its end."""
        return self.event in TERMINAL_EVENTS
