"""The life of a job as one table: states, named events, and the event that the outside world hears.

`docs/states.md` is generated from this table and compared with it in a test.
"""

from dataclasses import dataclass
from enum import StrEnum

from headway.contract.errors import InvalidTransition
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_EVAL_FAILED,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    JOB_STATE_UNSPECIFIED,
    JobState,
)


class Event(StrEnum):
    """What can happen to a job. The value is stored in `Transition.event`."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    CHECKPOINTED = "checkpointed"
    EVALUATED = "evaluated"
    RETRIED = "retried"
    MOVED = "moved"
    PAUSE_REQUESTED = "pause_requested"
    PAUSED = "paused"
    RESUME_REQUESTED = "resume_requested"
    RESUMED = "resumed"
    CANCEL_REQUESTED = "cancel_requested"
    PRIORITY_CHANGED = "priority_changed"
    CANCELLED = "cancelled"
    COMMITTED = "committed"
    MISSED_SCORE = "missed_score"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table.

    Attributes:
        source: the state before.
        event: what happens.
        target: the state after.
        guard: what must be true besides, in words; checked by the function of `transitions` that makes the move.
    """

    source: "JobState.ValueType"
    event: Event
    target: "JobState.ValueType"
    guard: str = ""


_CURRENT = "the write names the current attempt"

TABLE: tuple[Move, ...] = (
    Move(JOB_STATE_UNSPECIFIED, Event.SUBMITTED, JOB_STATE_QUEUED, "admission passed"),
    Move(JOB_STATE_QUEUED, Event.CLAIMED, JOB_STATE_RUNNING, "desired is RUN; the attempt number grows by one"),
    Move(JOB_STATE_QUEUED, Event.PAUSED, JOB_STATE_PAUSED),
    Move(JOB_STATE_QUEUED, Event.CANCELLED, JOB_STATE_CANCELLED),
    Move(JOB_STATE_QUEUED, Event.PRIORITY_CHANGED, JOB_STATE_QUEUED),
    Move(JOB_STATE_RUNNING, Event.CHECKPOINTED, JOB_STATE_RUNNING, _CURRENT),
    Move(JOB_STATE_RUNNING, Event.EVALUATED, JOB_STATE_RUNNING, _CURRENT),
    Move(JOB_STATE_RUNNING, Event.COMMITTED, JOB_STATE_SUCCEEDED, _CURRENT),
    Move(JOB_STATE_RUNNING, Event.MISSED_SCORE, JOB_STATE_EVAL_FAILED, _CURRENT),
    Move(JOB_STATE_RUNNING, Event.FAILED, JOB_STATE_FAILED, _CURRENT),
    Move(JOB_STATE_RUNNING, Event.RETRIED, JOB_STATE_QUEUED, "TRANSIENT failure with tries left"),
    Move(JOB_STATE_RUNNING, Event.MOVED, JOB_STATE_QUEUED, "the lease expired, with losses left"),
    Move(JOB_STATE_RUNNING, Event.PAUSE_REQUESTED, JOB_STATE_PAUSING),
    Move(JOB_STATE_RUNNING, Event.PAUSED, JOB_STATE_PAUSED, "its max_runtime is used up"),
    Move(JOB_STATE_RUNNING, Event.PRIORITY_CHANGED, JOB_STATE_RUNNING),
    Move(JOB_STATE_RUNNING, Event.CANCEL_REQUESTED, JOB_STATE_CANCELLING),
    Move(JOB_STATE_PAUSING, Event.CHECKPOINTED, JOB_STATE_PAUSING, _CURRENT),
    Move(JOB_STATE_PAUSING, Event.EVALUATED, JOB_STATE_PAUSING, _CURRENT),
    Move(JOB_STATE_PAUSING, Event.PAUSE_REQUESTED, JOB_STATE_PAUSING, "desired was RUN again"),
    Move(JOB_STATE_PAUSING, Event.RESUME_REQUESTED, JOB_STATE_PAUSING, "desired was PAUSE"),
    Move(
        JOB_STATE_PAUSING,
        Event.PAUSED,
        JOB_STATE_PAUSED,
        "the host stopped, or was lost; resumed at once if desired is RUN",
    ),
    Move(JOB_STATE_PAUSING, Event.PRIORITY_CHANGED, JOB_STATE_PAUSING),
    Move(JOB_STATE_PAUSING, Event.COMMITTED, JOB_STATE_SUCCEEDED, _CURRENT),
    Move(JOB_STATE_PAUSING, Event.MISSED_SCORE, JOB_STATE_EVAL_FAILED, _CURRENT),
    Move(JOB_STATE_PAUSING, Event.FAILED, JOB_STATE_FAILED, _CURRENT),
    Move(JOB_STATE_PAUSING, Event.CANCEL_REQUESTED, JOB_STATE_CANCELLING),
    Move(JOB_STATE_PAUSED, Event.RESUMED, JOB_STATE_QUEUED),
    Move(JOB_STATE_PAUSED, Event.CANCELLED, JOB_STATE_CANCELLED),
    Move(JOB_STATE_PAUSED, Event.PRIORITY_CHANGED, JOB_STATE_PAUSED),
    Move(JOB_STATE_CANCELLING, Event.CHECKPOINTED, JOB_STATE_CANCELLING, _CURRENT),
    Move(JOB_STATE_CANCELLING, Event.PRIORITY_CHANGED, JOB_STATE_CANCELLING),
    Move(JOB_STATE_CANCELLING, Event.CANCELLED, JOB_STATE_CANCELLED, "the host stopped, failed, or was lost"),
)

TERMINAL_STATES = frozenset(
    {JOB_STATE_SUCCEEDED, JOB_STATE_FAILED, JOB_STATE_CANCELLED, JOB_STATE_EVAL_FAILED},
)
HELD_STATES = frozenset({JOB_STATE_RUNNING, JOB_STATE_PAUSING, JOB_STATE_CANCELLING})
"""States in which one host holds the lease of the current attempt."""

REPLACEABLE_EVENTS = frozenset({Event.CHECKPOINTED, Event.PRIORITY_CHANGED})
"""Events of which only the newest says how things are: in a long history the older ones are let go of first."""

_TARGETS = {(move.source, move.event): move.target for move in TABLE}

_OUTWARD = {
    Event.SUBMITTED: "queued",
    Event.RETRIED: "queued",
    Event.CLAIMED: "started",
    Event.CHECKPOINTED: "checkpoint",
    Event.EVALUATED: "evaluated",
    Event.MOVED: "moved",
    Event.PAUSED: "paused",
    Event.RESUMED: "resumed",
    Event.CANCELLED: "cancelled",
    Event.COMMITTED: "completed",
    Event.MISSED_SCORE: "failed",
    Event.FAILED: "failed",
}


def is_terminal(state: "JobState.ValueType") -> bool:
    """Whether a job in this state never changes again."""
    return state in TERMINAL_STATES


def is_held(state: "JobState.ValueType") -> bool:
    """Whether a host holds the job's current attempt in this state."""
    return state in HELD_STATES


def state_name(state: "JobState.ValueType") -> str:
    """The state for people and filters: `JOB_STATE_RUNNING` is `RUNNING`."""
    return JobState.Name(state).removeprefix("JOB_STATE_")


def next_state(state: "JobState.ValueType", event: Event) -> "JobState.ValueType":
    """The state that an event leads to.

    Raises:
        InvalidTransition: when the table has no such row; the message names the state.
    """
    target = _TARGETS.get((state, event))
    if target is None:
        raise InvalidTransition(
            f"a job that is {state_name(state)} cannot be {event.value.replace('_', ' ')}",
            metadata={"state": state_name(state), "event": event.value},
        )
    return target


def outward_event(event: Event) -> str | None:
    """Name of the event that subscribers hear, such as `started`; None where an event is internal."""
    return _OUTWARD.get(event)
