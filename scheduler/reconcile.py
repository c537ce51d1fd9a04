"""One pass of the scheduler, as a pure function: what is, and what should therefore change.

Safety that tests/sim and tests/unit/scheduler/test_reconcile_properties.py hold: a plan never exceeds a host's
capacity, never touches a job twice, never moves an attempt whose lease is live and whose host knows of it, and the
plan of its own result is empty.
"""

from collections.abc import Iterator
from itertools import chain

from headway.contract.errors import NoGpuHost
from headway.contract.modes import Selection, Wish
from headway.contract.run_time import MAX_RUNTIME
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    DESIRED_STATE_CANCEL,
    DESIRED_STATE_PAUSE,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    AttemptOutcome,
)
from scheduler.mode_selection import select_for
from scheduler.placement import Room, candidates, choose, rooms_of
from scheduler.plan import (
    Action,
    CancelQueued,
    Claim,
    ConfirmCancelled,
    ConfirmPaused,
    FailAttempt,
    LoseAttempt,
    Plan,
    UseUpRunTime,
)
from scheduler.snapshot import AttemptEnd, Demand, HeldJob, HostView, QueuedJob, Snapshot

MAX_ENDINGS = 256
MAX_CLAIMS = 64
"""A longer plan is cut; the next pass follows at once. It bounds how old a snapshot can get while it is carried out."""


def reconcile(snapshot: Snapshot, now: float) -> Plan:
    """Decide what should change.

    Args:
        snapshot: jobs, hosts and leases.
        now: monotonic seconds.

    Returns:
        The changes; empty when everything is as it should be.
    """
    hosts = {host.facts.name: host for host in snapshot.hosts}
    endings = [action for job in snapshot.held if (action := _ending(job, hosts.get(job.host), snapshot, now))]
    waiting = chain(snapshot.queued_inference, snapshot.queued)
    unwanted = [CancelQueued(job.job_id) for job in waiting if job.desired == DESIRED_STATE_CANCEL]
    return Plan(tuple([*endings, *unwanted][:MAX_ENDINGS]), tuple(_claims(snapshot, now)))


def next_look(snapshot: Snapshot, now: float) -> float | None:
    """When the passing of time alone changes the plan; None when only news can."""
    moments = [end for end in snapshot.lease_ends.values() if end > now]
    waiting = chain(snapshot.queued_inference, snapshot.queued)
    moments += [job.ready_at for job in waiting if job.ready_at > now]
    return min(moments, default=None)


def _ending(job: HeldJob, host: HostView | None, snapshot: Snapshot, now: float) -> Action | None:
    end = _reported_end(job, host)
    ran = snapshot.run_seconds.get(job.key, 0.0)
    if job.state == JOB_STATE_CANCELLING and (end or _is_unknown_to(job, host)):
        # Whatever the host says of it, a result included, a cancellation that was acknowledged wins (P21).
        return ConfirmCancelled(job.job_id, job.attempt, ran, end.step if end else 0)
    if end is not None:
        return _recorded(end, job, ran)
    if host is not None and job.key in host.forgotten:
        return LoseAttempt(job.job_id, job.attempt, "HOST_RESTARTED", f"{job.host} was started anew without it", ran)
    if job.state == JOB_STATE_PAUSING and _is_unknown_to(job, host):
        return ConfirmPaused(job.job_id, job.attempt, ran)
    if now >= snapshot.lease_ends.get(job.key, now + 1):
        message = f"{job.host} was not heard of for longer than its lease"
        return LoseAttempt(job.job_id, job.attempt, "HOST_LOST", message, ran)
    return None


def _reported_end(job: HeldJob, host: HostView | None) -> AttemptEnd | None:
    ended = host.ended if host is not None else ()
    return next((end for end in ended if (end.job_id, end.attempt) == job.key), None)


def _is_unknown_to(job: HeldJob, host: HostView | None) -> bool:
    """Whether a host that speaks with us does not run the attempt: its order was lost, or it let go of it.

    Should the order still be on its way, the host is told to stop a stale attempt as soon as it reports it.
    """
    return host is not None and host.connected and job.key not in host.reported


_OWN_REASONS = {
    "HOST_DRAINING": "takes no new work and did not begin it",
    "HOST_STOPPED": "was stopped, and gave it back",
    "HOST_RESTARTED": "was restarted while it ran",
    "ORPHANED": "had not heard of the scheduler for too long, and gave it back",
}
"""Why a host gives an attempt back that nobody wants back; in our words, for a host's own are not for the record."""


def _recorded(end: AttemptEnd, job: HeldJob, ran: float) -> Action | None:
    if end.outcome == ATTEMPT_OUTCOME_SUCCEEDED:
        # The gateway's commit ends the job; until then the host keeps the result and the lease.
        return None
    if end.outcome == ATTEMPT_OUTCOME_FAILED:
        return FailAttempt(job.job_id, job.attempt, end, ran)
    if end.outcome == ATTEMPT_OUTCOME_PAUSED and job.state == JOB_STATE_PAUSING:
        return ConfirmPaused(job.job_id, job.attempt, ran)
    if end.outcome == ATTEMPT_OUTCOME_PAUSED and end.reason == MAX_RUNTIME:
        return UseUpRunTime(job.job_id, job.attempt, ran)
    if end.outcome == ATTEMPT_OUTCOME_LOST and end.reason in _OWN_REASONS:
        return LoseAttempt(job.job_id, job.attempt, end.reason, f"{job.host} {_OWN_REASONS[end.reason]}", ran)
    word = AttemptOutcome.Name(end.outcome).removeprefix("ATTEMPT_OUTCOME_")
    return LoseAttempt(job.job_id, job.attempt, "HOST_GAVE_UP", f"{job.host} ended the attempt as {word}, unasked", ran)


def _claims(snapshot: Snapshot, now: float) -> Iterator[Claim]:
    """Inference first: a lane of its own, so that neither lane makes the other wait."""
    offer = _Offer(snapshot)
    num_claims = 0
    for job in chain(snapshot.queued_inference, snapshot.queued):
        if num_claims == MAX_CLAIMS or not (job.demand.is_inference or offer.num_free_slots > 0):
            return
        if job.ready_at <= now and job.desired not in (DESIRED_STATE_CANCEL, DESIRED_STATE_PAUSE):
            claim = offer.claim(job)
            if claim is not None:
                num_claims += 1
                yield claim


class _Class:
    """What is the same for all jobs of one wish and number of GPUs: their mode, and the hosts that suit them."""

    def __init__(self, demand: Demand, snapshot: Snapshot, rooms: dict[str, Room]) -> None:
        self.selection = select_for(demand.wish, snapshot.default_mode, snapshot.hosts)
        self.rooms: list[Room] = []
        if isinstance(self.selection, Selection):
            without_memory = Demand(demand.wish, demand.num_gpus)
            self.rooms = candidates(without_memory, self.selection.mode, rooms.values())
        self.refused_memory_mib: int | None = None if self.rooms else 0

    def refuses(self, demand: Demand) -> bool:
        """Whether a demand that asks for no more than this one was refused before: room only shrinks in a pass."""
        return self.refused_memory_mib is not None and demand.memory_mib >= self.refused_memory_mib


class _Offer:
    """What one pass has to give away."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rooms = rooms_of(snapshot.hosts, snapshot.held)
        self._classes: dict[tuple[Wish, int], _Class] = {}
        self.num_free_slots = sum(max(0, room.slots) for room in self._rooms.values())

    def claim(self, job: QueuedJob) -> Claim | None:
        """Give the job the best room that fits; None when none does."""
        demand = job.demand
        key = (demand.wish, demand.num_gpus)
        shared = self._classes.get(key)
        if shared is None:
            shared = self._classes[key] = _Class(demand, self._snapshot, self._rooms)
        selection = shared.selection
        if isinstance(selection, NoGpuHost) or shared.refuses(demand):
            return None
        room = choose(demand, shared.rooms)
        if room is None:
            shared.refused_memory_mib = demand.memory_mib
            return None
        room.take(demand)
        if not demand.is_inference:
            self.num_free_slots -= 1
        facts = room.host.facts
        return Claim(job.job_id, facts, selection.mode or facts.mode, selection.fallback_reason)
