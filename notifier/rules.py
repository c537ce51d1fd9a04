"""What people are told about each event. Pure: an event and the time in, a section of a message out.

Titles and colours of started, completed, failed and cancelled are those that the product had before it was rewritten.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from headway.contract.ids import JobName
from headway.v1 import events_pb2 as events
from notifier.happening import EventData, Happening
from notifier.messages import Earlier, Fact, Section
from notifier.wording import counts, figures, in_words, size_in_words, words

BLURPLE = 0x5865F2
YELLOW = 0xFEE75C
GREEN = 0x57F287
RED = 0xED4245
ORANGE = 0xFAA61A

LATE_AFTER = timedelta(minutes=1)
"""An event older than this is told with its age: people would take it for news."""

_MAX_METRICS = 6

T_contra = TypeVar("T_contra", bound=EventData, contravariant=True)


@dataclass(frozen=True, slots=True)
class Telling:
    """The words for one event."""

    text: str = ""
    facts: tuple[Fact, ...] = ()


class Rule(Protocol):
    """How one kind of event is told."""

    @property
    def title(self) -> str:
        """A few words."""
        ...

    @property
    def colour(self) -> int:
        """0xRRGGBB."""
        ...

    def tell(self, happening: Happening) -> Telling:
        """Put the event into words."""
        ...


@dataclass(frozen=True, slots=True)
class _Rule(Generic[T_contra]):
    title: str
    colour: int
    data_type: type[T_contra]
    put: Callable[[T_contra], Telling]

    def tell(self, happening: Happening) -> Telling:
        if not isinstance(happening.data, self.data_type):
            raise TypeError(f"{happening.event} with the data of another event")
        return self.put(happening.data)


def section_of(happening: Happening, earlier: Sequence[Happening] = (), *, now: datetime) -> Section:
    """The words for one event.

    Args:
        happening: of a type that RULES names; others are poison and never come here.
        earlier: events of the same job before it that are told along with it, in a word each.
        now: of the wall clock; says how old the event is.
    """
    rule = RULES[happening.event]
    telling = rule.tell(happening)
    age = now - happening.occur_time
    late = f"It happened {in_words(age.total_seconds())} ago." if age > LATE_AFTER else ""
    return Section(
        event=happening.event,
        event_id=happening.event_id,
        about=_about(happening),
        title=rule.title,
        colour=rule.colour,
        text=" ".join(part for part in (telling.text, late, _before(earlier)) if part),
        facts=telling.facts,
        occur_time=happening.occur_time,
        project=happening.project,
        job_id=happening.job_id,
        is_terminal=happening.is_terminal,
        failure_class=happening.data.failure_class if isinstance(happening.data, events.JobFailedEvent) else "",
        earlier=tuple(
            Earlier(event=event.event, event_id=event.event_id, occur_time=event.occur_time) for event in earlier
        ),
    )


def _before(earlier: Sequence[Happening]) -> str:
    """Which events went before, each kind once, with its count."""
    counted = Counter(event.event.rpartition(".")[2] for event in earlier)
    words = [f"{name} {count} times" if count > 1 else name for name, count in counted.items()]
    return f"Before that: {', '.join(words)}." if words else ""


def _about(happening: Happening) -> str:
    match happening.data:
        case events.HostEvent():
            return f"hosts/{happening.data.host}"
        case events.ModelRegisteredEvent() | events.ModelPromotedEvent() | events.ModelRolledBackEvent():
            return happening.data.model_version
    return JobName(happening.project, happening.job_id).name


def _queued(data: events.JobQueuedEvent) -> Telling:
    text = f"The attempt before failed ({data.reason}); it will be tried again." if data.reason else ""
    facts = words(
        ("name", data.display_name), ("kind", data.kind), ("for", data.user_id), ("mode", data.requested_mode)
    )
    if data.priority:
        facts.append(Fact("priority", str(data.priority)))
    return Telling(text, (*facts, *counts(("attempts so far", data.attempt))))


def _started(data: events.JobStartedEvent) -> Telling:
    text = f"It runs in another mode than asked for: {data.fallback_reason}." if data.fallback_reason else ""
    facts = [
        *words(("host", data.host), ("mode", data.mode), ("device", data.device)),
        *counts(("attempt", data.attempt)),
        *words(("model", f"{data.model_family} {data.model_size}".strip())),
        *counts(("epochs", data.total_epochs), ("batch size", data.batch_size)),
    ]
    if data.learning_rate > 0:
        facts += figures(("learning rate", data.learning_rate))
    facts += counts(("CPU cores", data.cpu_cores))
    if data.memory_mb > 0:
        facts.append(Fact("memory", size_in_words(data.memory_mb * 1024 * 1024)))
    return Telling(text, tuple(facts))


def _checkpoint(data: events.JobCheckpointEvent) -> Telling:
    return Telling(facts=(*counts(("step", data.step)), Fact("size", size_in_words(data.size_bytes))))


def _evaluated(data: events.JobEvaluatedEvent) -> Telling:
    metrics = sorted(data.metrics.items())
    text = f"{len(metrics) - _MAX_METRICS} more figures are in the result." if len(metrics) > _MAX_METRICS else ""
    return Telling(text, tuple(figures(*metrics[:_MAX_METRICS])))


def _paused(data: events.JobPausedEvent) -> Telling:
    if data.step:
        return Telling("Nothing up to this step is lost.", tuple(counts(("step", data.step))))
    if data.attempt:
        return Telling("It has no checkpoint: when it is resumed, it begins again.")
    return Telling("It had not begun.")


def _resumed(data: events.JobResumedEvent) -> Telling:
    return Telling("It waits for a host.", tuple(words(("reason", data.reason))))


def _moved(data: events.JobMovedEvent) -> Telling:
    facts = (*words(("reason", data.reason)), *counts(("attempts so far", data.attempt)))
    return Telling(_sentences("It goes on at another host.", data.message), facts)


def _completed(data: events.JobCompletedEvent) -> Telling:
    facts: list[Fact] = []
    if data.headline_metric:
        facts += figures((data.headline_metric, data.headline_value))
    facts += figures(("loss", data.loss))
    facts += words(("result", data.artifact))
    facts.append(Fact("took", in_words(data.duration_seconds)))
    if data.predicted_duration_seconds > 0:
        facts.append(Fact("expected", in_words(data.predicted_duration_seconds)))
    return Telling(facts=tuple(facts))


_TO_GO_ON: Mapping[str, str] = MappingProxyType(
    {
        "USER_INPUT": "The spec or its data is at fault: correct it and submit it again.",
        "TRANSIENT": "The cause may pass: submit it again.",
        "FATAL": "Trying the same again will not help before the cause is found.",
    }
)


def _failed(data: events.JobFailedEvent) -> Telling:
    """Class, what was tried, what is kept, and the command that leads on."""
    tried = "It was tried once." if data.attempt == 1 else f"It was tried {data.attempt} times."
    kept = f"Spec, checkpoints and logs are kept: headway jobs logs {JobName(data.project, data.run_id).name}"
    advice = _TO_GO_ON.get(data.failure_class, "")
    facts = words(("class", data.failure_class), ("reason", data.reason), ("host", data.host))
    return Telling(f"{_sentences(data.message, tried if data.attempt else '', advice)} {kept}", tuple(facts))


def _cancelled(data: events.JobCancelledEvent) -> Telling:
    facts = (*words(("reason", data.reason)), *counts(("at step", data.cancelled_at_step)))
    return Telling(data.message, facts)


def _registered(data: events.ModelRegisteredEvent) -> Telling:
    facts = counts(("number", data.number))
    if data.headline_metric:
        facts += figures((data.headline_metric, data.headline_value))
    return Telling(facts=(*facts, *words(("job", data.run_id))))


def _promoted(data: events.ModelPromotedEvent) -> Telling:
    return Telling("It is the version that is used now.", _use(data.number, data.user_id, data.previous_model_version))


def _rolled_back(data: events.ModelRolledBackEvent) -> Telling:
    return Telling("It is used again.", _use(data.number, data.user_id, data.previous_model_version))


def _use(number: int, user_id: str, previous: str) -> tuple[Fact, ...]:
    return (*counts(("number", number)), *words(("by", user_id), ("instead of", previous)))


def _host(data: events.HostEvent) -> Telling:
    return Telling(data.message, tuple(words(("mode", data.mode))))


def _sentences(*parts: str) -> str:
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in map(str.strip, parts) if part)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "trainer.train.queued": _Rule("Training queued", BLURPLE, events.JobQueuedEvent, _queued),
        "trainer.train.started": _Rule("Training started", BLURPLE, events.JobStartedEvent, _started),
        "trainer.train.checkpoint": _Rule("Checkpoint saved", YELLOW, events.JobCheckpointEvent, _checkpoint),
        "trainer.train.evaluated": _Rule("Model evaluated", YELLOW, events.JobEvaluatedEvent, _evaluated),
        "trainer.train.paused": _Rule("Training paused", YELLOW, events.JobPausedEvent, _paused),
        "trainer.train.resumed": _Rule("Training resumed", BLURPLE, events.JobResumedEvent, _resumed),
        "trainer.train.moved": _Rule("Training moved", YELLOW, events.JobMovedEvent, _moved),
        "trainer.train.completed": _Rule("Training completed", GREEN, events.JobCompletedEvent, _completed),
        "trainer.train.failed": _Rule("Training failed", RED, events.JobFailedEvent, _failed),
        "trainer.train.cancelled": _Rule("Training cancelled", ORANGE, events.JobCancelledEvent, _cancelled),
        "trainer.model.registered": _Rule("Model registered", GREEN, events.ModelRegisteredEvent, _registered),
        "trainer.model.promoted": _Rule("Model promoted", GREEN, events.ModelPromotedEvent, _promoted),
        "trainer.model.rolled_back": _Rule("Model rolled back", ORANGE, events.ModelRolledBackEvent, _rolled_back),
        "trainer.host.joined": _Rule("Host joined", BLURPLE, events.HostEvent, _host),
        "trainer.host.drained": _Rule("Host drained", YELLOW, events.HostEvent, _host),
        "trainer.host.lost": _Rule("Host lost", RED, events.HostEvent, _host),
    }
)
