"""The durable consumer of the bucket of jobs, as the server keeps it, and what schedulers publish from it.

A record comes again until it is acknowledged: after the death of who had it, and after three seconds of silence, when
the one that was silent may go on all the same.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from headway.contract.events import job_id_of, transition_number
from headway.contract.kinds import INFER
from headway.contract.states import REPLACEABLE_EVENTS, Event, outward_event
from headway.runtime.feeds import Message
from headway.v1.jobs_pb2 import Transition
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
        self._num_checked = 0
        self._told: dict[str, list[int]] = {}

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
        """P25: events come once and in order, each names the one before it; and none is missing, once there is calm."""
        for event in self._bus.events[self._num_checked :]:
            message_id = event.headers.get("Nats-Msg-Id", "")
            job_id, number = job_id_of(message_id), transition_number(message_id)
            if job_id in self._jobs.rows:
                assert self._jobs.values[job_id].job.kind != INFER, "nobody is told of a prediction"
                before = self._told.setdefault(job_id, [0])[-1]
                assert number > before, f"P25: events come once and in order, not {number} behind {before}"
                named = json.loads(event.data)["data"]["previous_sequence"]
                assert named == before, f"P25: event {number} names {named} as the one before, and it was {before}"
                self._told[job_id].append(number)
        self._num_checked = len(self._bus.events)
        if is_settled:
            for job_id, record in self._jobs.values.items():
                if record.job.kind != INFER:
                    self._check_complete(job_id, record)

    def _check_complete(self, job_id: str, record: JobRecord) -> None:
        """What was replaced before it was told is not owed, nor what a history of nothing but life had no room for."""
        told = set(self._told.get(job_id, ()))
        newest = {one.event: one.number for one in record.job.transitions if one.event in REPLACEABLE_EVENTS}
        owed = {one.number: one.event for one in self._written(job_id) if one.event in _TOLD}
        forgotten = record.job.transitions[0].number
        for number, event in owed.items():
            is_replaced = number < newest.get(event, 0)
            assert number in told or is_replaced or number < forgotten, f"P25: event {number} is missing"

    def _written(self, job_id: str) -> Iterator[Transition]:
        for message in self._jobs.log:
            if message.key == job_id:
                yield from JobRecord.FromString(message.data).job.transitions

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
