"""The durable consumer of the bucket of jobs, as the server keeps it, and what schedulers publish from it.

A record comes again until it is acknowledged: after the death of who had it, and after three seconds of silence, when
the one that was silent may go on all the same.
"""

from collections import deque
from dataclasses import dataclass

from headway.contract.events import transition_number
from headway.contract.states import Event, outward_event
from headway.runtime.feeds import Message
from headway.v1.records_pb2 import JobRecord
from scheduler.events_publisher import CONSUMER
from tests.sim.routine import Routine, SimulatedClock
from tests.sim.scheduler_process import SchedulerProcess
from tests.sim.store import SimulatedBus, Table

_TOLD = frozenset(event.value for event in Event if outward_event(event) is not None)


@dataclass
class _Given:
    """A record that a scheduler has and has not acknowledged."""

    scheduler: SchedulerProcess
    message: Message
    routine: Routine[None]
    since: float
    is_given_again: bool = False


class EventFeed:
    """Who has which record, and which are still to come."""

    def __init__(self, jobs: Table[JobRecord], bus: SimulatedBus, clock: SimulatedClock) -> None:
        self._jobs = jobs
        self._bus = bus
        self._clock = clock
        self._place = 0
        self._again: deque[Message] = deque()
        self._given: list[_Given] = []

    def work(self, scheduler: SchedulerProcess, num_steps: int) -> None:
        """Let a scheduler publish for so many steps."""
        self._give_again()
        for _ in range(num_steps):
            given = next((one for one in self._given if one.scheduler is scheduler), None) or self._give(scheduler)
            if given is None:
                return
            given.routine.step()
            if given.routine.is_over:
                self._given.remove(given)
                if given.routine.error is not None:
                    self._again.append(given.message)

    def forget(self, scheduler: SchedulerProcess) -> None:
        """It is dead; what it had comes again."""
        for given in [one for one in self._given if one.scheduler is scheduler]:
            given.routine.kill()
            self._given.remove(given)
            if not given.is_given_again:
                self._again.append(given.message)

    def is_done(self) -> bool:
        """Whether every record was acknowledged."""
        return not (self._again or self._given or self._place < len(self._jobs.log))

    def check(self, *, is_settled: bool) -> None:
        """P25: one event a transition that is told, in order; all of them, once there is calm."""
        told: dict[str, list[int]] = {}
        for event in self._bus.events:
            message_id = event.headers.get("Nats-Msg-Id", "")
            job_id = message_id.rpartition(":")[0]
            if job_id in self._jobs.rows:
                told.setdefault(job_id, []).append(transition_number(message_id))
        for job_id, record in self._jobs.values.items():
            wanted = [one.number for one in record.job.transitions if one.event in _TOLD]
            found = told.get(job_id, [])
            assert found == wanted[: len(found)], f"P25: events come once and in order, not as {found} of {wanted}"
            assert found == wanted or not is_settled, "P25: no event is missing"

    def _give(self, scheduler: SchedulerProcess) -> _Given | None:
        if self._again:
            message = self._again.popleft()
        elif self._place < len(self._jobs.log):
            message = self._jobs.log[self._place]
            self._place += 1
        else:
            return None
        given = _Given(scheduler, message, Routine(scheduler.publisher.publish_due(message)), self._clock.seconds)
        self._given.append(given)
        return given

    def _give_again(self) -> None:
        for given in self._given:
            if not given.is_given_again and self._clock.seconds - given.since > CONSUMER.ack_wait_seconds:
                given.is_given_again = True
                self._again.append(given.message)
