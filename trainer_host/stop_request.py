"""The wish that an attempt ends early, and work that is given up when it comes."""

import asyncio
import math
from collections.abc import Awaitable
from enum import Enum
from typing import TypeVar

from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_PREEMPTED,
    AttemptOutcome,
)
from headway.v1.scheduler_service_pb2 import AttemptStop
from trainer_host.sole_error import sole_error

T = TypeVar("T")


class StopReason(Enum):
    """Why an attempt must end; the names that the child knows, and three of the agent's own."""

    PAUSE = "PAUSE"
    CANCEL = "CANCEL"
    PREEMPT = "PREEMPT"
    STALE = "STALE"
    HOST_STOPPED = "HOST_STOPPED"
    """The agent was told to end."""
    ORPHANED = "ORPHANED"
    """Nobody has heard the scheduler for longer than the limit."""
    MAX_RUNTIME = "MAX_RUNTIME"
    """The job has been at work for as long as it may: a pause that nobody asked for."""

    @classmethod
    def of(cls, stop: AttemptStop) -> "StopReason":
        """What the scheduler says; a reason of a later release counts as a cancellation."""
        name = AttemptStop.Reason.Name(stop.reason) if stop.reason in AttemptStop.Reason.values() else ""
        word = name.removeprefix("REASON_")
        return cls[word] if word in cls.__members__ else cls.CANCEL

    @property
    def outcome(self) -> "AttemptOutcome.ValueType":
        """How an attempt ends that stopped for this reason."""
        return _OUTCOMES.get(self, ATTEMPT_OUTCOME_LOST)

    @property
    def limit_seconds(self) -> float:
        """How long a child may take to stop at the most; an agent that ends has few seconds itself."""
        return 2.0 if self is StopReason.HOST_STOPPED else math.inf

    @property
    def checkpoint_limit_seconds(self) -> float:
        """How long the end may wait at the most until the last checkpoint is delivered."""
        if self is StopReason.STALE:
            return 0.0
        return 1.5 if self is StopReason.HOST_STOPPED else math.inf

    @property
    def lets_finish(self) -> bool:
        """Whether an attempt whose last step is done goes on to its end all the same."""
        return self in (StopReason.PAUSE, StopReason.MAX_RUNTIME)

    @property
    def is_final(self) -> bool:
        """Whether even a finished result is of no use any more."""
        return self in (StopReason.CANCEL, StopReason.STALE)


_OUTCOMES = {
    StopReason.PAUSE: ATTEMPT_OUTCOME_PAUSED,
    StopReason.MAX_RUNTIME: ATTEMPT_OUTCOME_PAUSED,
    StopReason.CANCEL: ATTEMPT_OUTCOME_CANCELLED,
    StopReason.PREEMPT: ATTEMPT_OUTCOME_PREEMPTED,
}


class Stopped(Exception):
    """The work was given up because a stop was asked for.

    Attributes:
        step: optimizer steps done by then.
    """

    def __init__(self, step: int = 0) -> None:
        super().__init__("the attempt was stopped")
        self.step = step


class StopRequest:
    """Set once, and again only by a reason that leaves less: STALE after anything, CANCEL after PAUSE."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.reason: StopReason | None = None
        self.stale = asyncio.Event()
        self.final = asyncio.Event()

    @property
    def checkpoint_limit_seconds(self) -> float:
        """How long the end, a failure too, may wait at the most until the last checkpoint is delivered."""
        return math.inf if self.reason is None else self.reason.checkpoint_limit_seconds

    def ask(self, reason: StopReason) -> bool:
        """Ask for the end; False when that changes nothing."""
        if self.reason is reason or self.reason is StopReason.STALE:
            return False
        if self.reason is not None and not reason.is_final:
            return False
        self.reason = reason
        self.asked.set()
        if reason.is_final:
            self.final.set()
        if reason is StopReason.STALE:
            self.stale.set()
        return True

    async def unless_asked(self, work: Awaitable[T]) -> T:
        """The result of `work`; raises Stopped, and cancels it, when any stop is asked for before it is there."""
        return await _unless(self.asked, work)

    async def unless_final(self, work: Awaitable[T]) -> T:
        """As `unless_asked`, for work that a pause lets go on."""
        return await _unless(self.final, work)


async def _unless(event: asyncio.Event, work: Awaitable[T]) -> T:
    with sole_error():
        async with asyncio.TaskGroup() as group:
            watcher = group.create_task(_raise_when_set(event))
            result = await work
            watcher.cancel()
    return result


async def _raise_when_set(event: asyncio.Event) -> None:
    await event.wait()
    raise Stopped
