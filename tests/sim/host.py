"""A trainer host as it really is, whatever the scheduler believes: attempts, an outbox on disk, a boot.

The agent itself needs files and child processes, so this is a model of it. What it says and obeys are real messages.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from headway.contract.kinds import INFER, TABULAR_TRAIN
from headway.contract.run_time import MAX_RUNTIME
from headway.testing.builders import a_host
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    FAILURE_CLASS_TRANSIENT,
    AttemptOutcome,
    FailureClass,
)
from headway.v1.scheduler_service_pb2 import AttemptStop, SynchronizeRequest, SynchronizeResponse
from scheduler.snapshot import AttemptKey
from scheduler.synchronize import Conversation
from tests.sim.routine import SimulatedClock
from tests.sim.scheduler_process import SchedulerProcess

_ENDED_BY = {
    AttemptStop.REASON_PAUSE: ATTEMPT_OUTCOME_PAUSED,
    AttemptStop.REASON_CANCEL: ATTEMPT_OUTCOME_CANCELLED,
}


@dataclass
class HostAttempt:
    """One attempt on the host; without an outcome while it trains or is delivered."""

    outcome: "AttemptOutcome.ValueType" = ATTEMPT_OUTCOME_UNSPECIFIED
    failure_class: "FailureClass.ValueType" = FAILURE_CLASS_TRANSIENT
    reason: str = "BROKEN"
    step: int = 0
    limit_seconds: float = math.inf
    began: float = 0.0
    ran: float = 0.0
    """As far as this boot knows: 0 for what an earlier one had begun."""


@dataclass(frozen=True)
class Finished:
    """A result in the outbox."""

    digest: str
    score: float


@dataclass
class Stream:
    """One stream of one boot, with what is on its way in both directions."""

    host: "SimulatedHost"
    scheduler: SchedulerProcess
    talk: Conversation
    up: deque[SynchronizeRequest] = field(default_factory=deque)
    down: deque[SynchronizeResponse] = field(default_factory=deque)
    is_left: bool = False
    """The host does not read it any more; the scheduler may not know."""


class SimulatedHost:
    """One host id over all its boots."""

    def __init__(self, host_id: str, num_slots: int, memory_mib: int, clock: SimulatedClock) -> None:
        self.host_id = host_id
        self.name = f"hosts/{host_id}"
        self.boot = 1
        self.is_up = True
        self.is_frozen = False
        self.is_cut_off = False
        self.is_draining = False
        self.attempts: dict[AttemptKey, HostAttempt] = {}
        self.ends: dict[AttemptKey, HostAttempt] = {}
        self.outbox: dict[AttemptKey, Finished] = {}
        self.delivering: set[AttemptKey] = set()
        self.stream: Stream | None = None
        self.boots_of: dict[AttemptKey, int] = {}
        self._clock = clock
        self._num_slots = num_slots
        self._memory_mib = memory_mib
        self._sequence = 0
        self._describe()

    @property
    def boot_id(self) -> str:
        return f"boot-{self.boot}"

    def _describe(self) -> None:
        self._described = a_host(
            self.host_id,
            num_slots=self._num_slots,
            memory_mib=self._memory_mib,
            boot_id=self.boot_id,
            kinds=(TABULAR_TRAIN, INFER),
            draining=self.is_draining,
        )

    @property
    def is_acting(self) -> bool:
        """Whether it does anything by itself."""
        return self.is_up and not self.is_frozen

    def training(self) -> list[AttemptKey]:
        """What it works on, without results that wait for their delivery."""
        return [key for key, one in self.attempts.items() if not one.outcome and key not in self.outbox]

    def request(self) -> SynchronizeRequest:
        """What it says now."""
        self._sequence += 1
        request = SynchronizeRequest(host=self._described, sequence=self._sequence)
        for (job_id, number), one in self.attempts.items():
            report = request.attempts.add(job=job_name(job_id), attempt=number, outcome=one.outcome, step=one.step)
            report.runtime.FromMilliseconds(int(1000 * self._ran(one)))
            if one.outcome in (ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_LOST, ATTEMPT_OUTCOME_PAUSED):
                report.failure.failure_class = one.failure_class
                report.failure.reason = one.reason
                report.failure.message = "it broke"
        return request

    def obey(self, response: SynchronizeResponse) -> None:
        """Do what the scheduler says, in the order of the agent's supervisor."""
        for stop in response.stop:
            self._stop((job_id_of(stop.job), stop.attempt), stop.reason)
        for reference in response.release:
            key = (job_id_of(reference.job), reference.attempt)
            if key in self.attempts and self.attempts[key].outcome:
                self.ends[key] = self.attempts.pop(key)
        for order in response.run:
            limit = order.runtime_left.ToMilliseconds() / 1000 if order.HasField("runtime_left") else math.inf
            self._begin((job_id_of(order.job), order.attempt), limit)

    def stop_what_is_used_up(self) -> set[AttemptKey]:
        """End what has been at work for as long as it may; the attempts that this ended."""
        ended = {key for key in self.training() if self._ran(self.attempts[key]) >= self.attempts[key].limit_seconds}
        for key in ended:
            self.end(key, ATTEMPT_OUTCOME_PAUSED, reason=MAX_RUNTIME)
        return ended

    def _ran(self, one: HostAttempt) -> float:
        return one.ran if one.outcome else self._clock.seconds - one.began

    def _begin(self, key: AttemptKey, limit_seconds: float) -> None:
        if key in self.attempts:
            return
        if self.is_draining:
            # What ended here before is told again; what did not, is refused.
            refused = HostAttempt(outcome=ATTEMPT_OUTCOME_LOST, reason="HOST_DRAINING")
            self.attempts[key] = self.ends.pop(key) if key in self.ends else refused
            return
        for older in [one for one in self.training() if one[0] == key[0] and one[1] < key[1]]:
            self.end(older, ATTEMPT_OUTCOME_LOST)
        # An order for what ended here before is answered with the end.
        begun = HostAttempt(limit_seconds=limit_seconds, began=self._clock.seconds)
        self.attempts[key] = self.ends.pop(key) if key in self.ends else begun
        self.boots_of[key] = self.boot

    def _stop(self, key: AttemptKey, reason: "AttemptStop.Reason.ValueType") -> None:
        one = self.attempts.get(key)
        if one is None:
            return
        if reason == AttemptStop.REASON_STALE:
            self.outbox.pop(key, None)
            if one.outcome:
                self.ends[key] = self.attempts.pop(key)
            else:
                self.end(key, ATTEMPT_OUTCOME_LOST)
        elif not one.outcome and (key not in self.outbox or reason == AttemptStop.REASON_CANCEL):
            self.outbox.pop(key, None)
            self.end(key, _ENDED_BY[reason])

    def end(
        self,
        key: AttemptKey,
        outcome: "AttemptOutcome.ValueType",
        failure_class: "FailureClass.ValueType" = FAILURE_CLASS_TRANSIENT,
        reason: str = "BROKEN",
    ) -> None:
        """An attempt is over here; the first end counts."""
        one = self.attempts.get(key)
        if one is not None and not one.outcome:
            one.ran = self._ran(one)
            one.outcome, one.failure_class, one.reason = outcome, failure_class, reason

    def die(self) -> None:
        """The process is gone; its disk is not."""
        self.is_up = self.is_frozen = False
        self.delivering.clear()
        self.leave_stream()

    def restart(self, *, with_disk: bool) -> None:
        """Another boot. What trained was torn down; an outbox on disk is found again."""
        self.die()
        self.boot += 1
        self.is_up = True
        self.ends.clear()
        if not with_disk:
            self.attempts.clear()
            self.outbox.clear()
        for key in self.training():
            # How long it was at work died with the process.
            self.attempts[key].began = self._clock.seconds
            self.end(key, ATTEMPT_OUTCOME_LOST, reason="HOST_RESTARTED")
        self._describe()

    def drain(self) -> None:
        """It takes no new work from now on."""
        self.is_draining = True
        self._describe()

    def leave_stream(self) -> None:
        if self.stream is not None:
            self.stream.is_left = True
            self.stream.down.clear()
            self.stream = None


def job_name(job_id: str) -> str:
    return f"projects/demo/jobs/{job_id}"


def job_id_of(name: str) -> str:
    return name.rpartition("/")[2]
