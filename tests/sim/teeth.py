"""Each safety, and what production would be without it: the simulator must notice.

A mutation replaces production functions for the length of a block. `finds` is what the broken promise is then called,
so that a mutation that merely crashes proves nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import ModuleType
from unittest.mock import patch

from gateway import registrar
from headway.contract import record_changes, states, transitions
from headway.contract.errors import StaleAttempt
from headway.contract.record_changes import check_fence
from headway.contract.retry import Retry, RetryPolicy
from headway.contract.run_time import NONE
from headway.contract.states import Event
from headway.testing.builders import A_MOMENT
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_SUCCEEDED,
    Job,
    JobResult,
)
from headway.v1.records_pb2 import JobRecord
from scheduler import events_publisher, job_index, reconcile
from scheduler.cluster_view import ClusterView, Moment
from scheduler.events_publisher import EventsPublisher
from scheduler.host_table import Voice, Word
from scheduler.leases import LeaseBook
from scheduler.passes import PassLoop
from scheduler.placement import Room
from scheduler.pulse import Pulse
from scheduler.snapshot import AttemptEnd, Demand, HeldJob, HostView, Order
from tests.sim import actions
from tests.sim.scheduler_process import OrderlyApplier
from tests.sim.store import SimulatedBus, SimulatedRecords

Owner = type | ModuleType
Patches = Mapping[tuple[Owner, str], object]


@dataclass(frozen=True)
class Tooth:
    """One safety taken out.

    Attributes:
        safety: what it is, with its promise.
        patches: what production becomes without it.
        finds: words of the violation, one of which must be found.
    """

    safety: str
    patches: Patches
    finds: tuple[str, ...]

    @contextmanager
    def out(self) -> Iterator[None]:
        """Take the safety out for the length of the block. Every history then makes events: those are seen too."""
        with ExitStack() as stack:
            stack.enter_context(patch.object(actions, "EVENTS_EVERY", 1))
            for (owner, name), value in self.patches.items():
                stack.enter_context(patch.object(owner, name, value))
            yield


def _nothing(*_: object, **__: object) -> None:
    pass


def _no_fence(record: JobRecord, attempt: int, host: str) -> None:
    """The cancellation still counts."""
    if record.job.state == JOB_STATE_CANCELLING:
        check_fence(record, attempt, host)


def _no_cancel(record: JobRecord, attempt: int, host: str) -> None:
    """The attempt still counts."""
    record_changes.check_attempt(record, attempt)


_TARGETS_AFTER_CANCEL = {
    **states._TARGETS,
    (JOB_STATE_CANCELLING, Event.EVALUATED): JOB_STATE_CANCELLING,
    (JOB_STATE_CANCELLING, Event.COMMITTED): JOB_STATE_SUCCEEDED,
}


def _end_of_any_attempt(job: HeldJob, host: HostView | None) -> AttemptEnd | None:
    ended = host.ended if host is not None else ()
    return next((end for end in ended if end.job_id == job.job_id), None)


_commit_result = transitions.commit_result
_lose_attempt = transitions.lose_attempt
_hear = ClusterView.hear


def _too_late(record: JobRecord, *, host: str, result: JobResult, now: datetime) -> JobRecord:
    if record.job.state == JOB_STATE_PAUSING:
        raise StaleAttempt("a pause was asked for")
    return _commit_result(record, host=host, result=result, now=now)


async def _run_at_once(self: PassLoop, recovered: object) -> None:
    """Without waiting for recovery."""
    while True:
        self._signals.pass_wanted.clear()
        await self._clock.wait_for_event(self._signals.pass_wanted, await self.pass_once())


def _by_the_wall(now: Moment) -> Moment:
    return Moment(now.time, (now.time - A_MOMENT).total_seconds())


def _always_again(policy: RetryPolicy, failures: int, *, now: datetime) -> Retry:
    return Retry(now + policy.first_wait)


def _has_a_slot(self: Room, demand: Demand) -> bool:
    return self.slots > 0


def _always(*_: object) -> bool:
    return True


def _never(*_: object, **__: object) -> bool:
    return False


def _by_the_id(job: Job, job_id: str) -> Order:
    return (0.0, 0.0, job_id)


_place = EventsPublisher._place


async def _all(self: EventsPublisher, job: Job, *, at_least: int = 0) -> events_publisher._Place:
    """As if everything were out already."""
    return replace(await _place(self, job, at_least=at_least), number=job.transitions[-1].number)


def _oldest(_: object) -> int:
    return 0


def _as_submitted(job: Job) -> int:
    return job.spec.priority


def _no_digest(record: JobRecord) -> str:
    return ""


async def _blind(self: SimulatedRecords[JobRecord], key: str, value: JobRecord, revision: int) -> int:
    return await self.put(key, value)


def _hear_by_the_wall(self: ClusterView, word: Word, voice: Voice, now: Moment) -> Voice | None:
    return _hear(self, word, voice, _by_the_wall(now))


def _lose_on_tries(
    record: JobRecord, *, attempt: int, now: datetime, reason: str = "", message: str = "", ran: timedelta = NONE
) -> JobRecord:
    changed = _lose_attempt(record, attempt=attempt, now=now, reason=reason, message=message, ran=ran)
    if changed.num_losses > record.num_losses:
        changed.num_losses -= 1
        changed.num_transient_failures += 1
    return changed


TEETH = (
    Tooth("P9: the fence in commits", {(transitions, "check_fence"): _no_fence}, ("P9:", "a refusal has its reason")),
    Tooth(
        "P21: a cancellation wins",
        {(transitions, "check_fence"): _no_cancel, (states, "_TARGETS"): _TARGETS_AFTER_CANCEL},
        ("P21:",),
    ),
    Tooth(
        "P9: the attempt in a host's report",
        {(reconcile, "_reported_end"): _end_of_any_attempt},
        ("never said to have failed", "never said to be given up"),
    ),
    Tooth("P11: a commit wins over a pause", {(transitions, "commit_result"): _too_late}, ("P11:",)),
    Tooth("P8: a repeat is known by its digest", {(transitions, "committed_digest"): _no_digest}, ("P8:",)),
    Tooth("P7: a success has its version", {(registrar, "makes_version"): _never}, ("P7:",)),
    Tooth("F15: the leader's lease is looked at before each write", {(OrderlyApplier, "leads"): _always}, ("F15:",)),
    Tooth("P18: recovery comes before reaping", {(PassLoop, "run"): _run_at_once}, ("P18:",)),
    Tooth("P17: leases start anew after recovery", {(ClusterView, "restart_leases"): _nothing}, ("P17:",)),
    Tooth("P17: leases start anew after a freeze", {(Pulse, "feel"): _nothing}, ("P17:",)),
    Tooth("P17: who is heard keeps the lease", {(LeaseBook, "renew"): _never}, ("P17:",)),
    Tooth("P22: leases are monotonic", {(ClusterView, "hear"): _hear_by_the_wall}, ("P17:",)),
    Tooth("the memory of a host is its bound", {(Room, "fits"): _has_a_slot}, ("memory",)),
    Tooth("the slots of a host are its bound", {(Room, "fits"): _always}, ("slots", "memory")),
    Tooth("predictions have a lane of their own", {(Demand, "is_inference"): False}, ("second prediction", "slots")),
    Tooth("nobody hears of a prediction", {(events_publisher, "INTERNAL_KINDS"): frozenset()}, ("nobody is told",)),
    Tooth("the queue goes by priority", {(job_index, "order_of"): _by_the_id}, ("overtaken",)),
    Tooth("P25: an event's place is read from the stream", {(EventsPublisher, "_place"): _all}, ("P25:",)),
    Tooth("P25: an event goes behind the one that was read", {(SimulatedBus, "_check_last"): _nothing}, ("P25:",)),
    Tooth("P25: what is replaced is let go of first", {(record_changes, "_least_needed"): _oldest}, ("P25:",)),
    Tooth("a priority counts at once", {(job_index, "base_priority"): _as_submitted}, ("overtaken",)),
    Tooth("max_runtime ends a job's way to a host", {(transitions, "is_used_up"): _never}, ("max_runtime",)),
    Tooth("P19: tries are counted and capped", {(transitions, "decide"): _always_again}, ("P19:",)),
    Tooth("P19: a loss uses up no try", {(transitions, "lose_attempt"): _lose_on_tries}, ("P19:",)),
    Tooth(
        "every write is a compare-and-set",
        {(SimulatedRecords, "update"): _blind},
        ("P20:", "without a transition"),
    ),
)
