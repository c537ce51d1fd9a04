"""What the notifier understands of one event, whatever it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from headway.contract.event_catalogue import LAST_EVENT_TYPES, LIFE_DATA, LifeEventData
from headway.v1 import events_pb2 as events

JobData = LifeEventData
ModelData = events.ModelRegisteredEvent | events.ModelPromotedEvent | events.ModelRolledBackEvent
EventData = JobData | ModelData | events.HostEvent

JOB_DATA: Mapping[str, type[JobData]] = MappingProxyType(
    {f"trainer.train.{event}": data for event, data in LIFE_DATA.items()}
)
MODEL_DATA: Mapping[str, type[ModelData]] = MappingProxyType(
    {
        "trainer.model.registered": events.ModelRegisteredEvent,
        "trainer.model.promoted": events.ModelPromotedEvent,
        "trainer.model.rolled_back": events.ModelRolledBackEvent,
    }
)
TERMINAL_EVENTS = frozenset(last.rpartition(".")[0] for last in LAST_EVENT_TYPES)


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
