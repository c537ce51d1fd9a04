"""What must never happen, a sentence each: over every write of a job's record, and over what schedulers believe.

The writes are compared with the truth, which only the simulator knows: what hosts really ended and finished, whom a
scheduler has really heard, which boots there were. Numbers are those of RELIABILITY.md.
"""

from dataclasses import dataclass, field

from headway.contract.kinds import INFER
from headway.contract.run_time import is_used_up
from headway.contract.states import REPLACEABLE_EVENTS, TABLE, is_held, is_terminal, state_name
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    DESIRED_STATE_PAUSE,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Attempt,
    Transition,
)
from headway.v1.records_pb2 import JobRecord, ModelRecord
from scheduler.cluster_view import Moment
from scheduler.explain import explain_queued
from scheduler.snapshot import AttemptKey, HeldJob, QueuedJob
from tests.sim.routine import SimulatedClock
from tests.sim.scheduler_process import LEASE, SchedulerProcess

_MOVES = frozenset((move.source, move.event.value, move.target) for move in TABLE)
LOSSES_MAX = 2
"""Fewer than in production, so that fifty steps can use them up."""


@dataclass
class Truth:
    """What really happened."""

    finished: set[tuple[str, int, str, str]] = field(default_factory=set)
    """Job, attempt, digest and host of every result that was made."""
    failed: set[AttemptKey] = field(default_factory=set)
    """Attempts that failed on their host."""
    stopped: set[AttemptKey] = field(default_factory=set)
    """Attempts that ended on their host without a result or a failure."""
    began: dict[AttemptKey, float] = field(default_factory=dict)
    """When each attempt was claimed."""
    num_restarts: dict[str, int] = field(default_factory=dict)
    """How often each host was started anew."""
    cancelled: set[str] = field(default_factory=set)
    """Jobs whose cancellation was acknowledged."""
    schedulers: dict[str, SchedulerProcess] = field(default_factory=dict)


class Watcher:
    """Looks at every write of a job's record."""

    def __init__(self, truth: Truth, clock: SimulatedClock) -> None:
        self._truth = truth
        self._clock = clock
        self.dirty: set[str] = set()

    def job_written(self, writer: str, key: str, before: JobRecord | None, after: JobRecord) -> None:
        old = before if before is not None else JobRecord()
        self.dirty.add(key)
        assert after.job.name.rpartition("/")[2] == key, "one record a job"
        assert not is_terminal(old.job.state), (
            f"P20: terminal states are final, and {state_name(old.job.state)} was left"
        )
        self._check_result(old, after)
        self._check_history(old, after)
        self._check_attempts(old, after)
        self._check_shape(after)
        self._check_budgets(old, after)
        self._check_endings(writer, key, old, after)

    def _check_history(self, old: JobRecord, new: JobRecord) -> None:
        """Transitions are only appended, follow the table and never go back in time."""
        num_new = new.next_transition - (old.next_transition or 1)
        assert num_new > 0, "a write without a transition tells nobody anything"
        added = new.job.transitions[-num_new:]
        state, number = old.job.state, old.next_transition or 1
        last = old.job.transitions[-1].occur_time.ToNanoseconds() if old.job.transitions else 0
        for one in added:
            assert one.number == number, "P25: transitions are numbered without a gap"
            assert one.from_state == state, "a transition begins where the one before ended"
            assert (one.from_state, one.event, one.to_state) in _MOVES, "a transition is in the table"
            assert one.occur_time.ToNanoseconds() >= last, "P22: a history never goes back in time"
            last, state, number = one.occur_time.ToNanoseconds(), one.to_state, number + 1
        assert state == new.job.state, "the state is where the history leads"
        _check_what_was_let_go(list(old.job.transitions), list(new.job.transitions), num_new)

    def _check_attempts(self, old: JobRecord, new: JobRecord) -> None:
        grown = new.job.attempt - old.job.attempt
        assert grown in (0, 1), "attempt numbers grow by one"
        if grown:
            key = (new.job.name.rpartition("/")[2], new.job.attempt)
            assert (old.job.state, new.job.state) == (JOB_STATE_QUEUED, JOB_STATE_RUNNING), "only a claim begins one"
            assert key not in self._truth.began, "an attempt number never repeats"
            assert not is_used_up(old), "a job whose max_runtime is used up is given to no host"
            self._truth.began[key] = self._clock.seconds
        elif is_held(new.job.state):
            assert new.job.host == old.job.host, "an attempt never changes its host"
        numbers = [one.number for one in new.job.attempts]
        assert numbers == sorted(set(numbers)), "the attempts of a record are in order, each once"
        open_ones = [one.number for one in new.job.attempts if one.outcome == ATTEMPT_OUTCOME_UNSPECIFIED]
        assert open_ones == ([new.job.attempt] if is_held(new.job.state) else []), "at most one attempt is open"

    def _check_result(self, old: JobRecord, new: JobRecord) -> None:
        job, key = new.job, new.job.name.rpartition("/")[2]
        if job.state == JOB_STATE_SUCCEEDED:
            assert key not in self._truth.cancelled, "P21: an acknowledged cancel never becomes SUCCEEDED"
            assert job.HasField("result"), "P7: a job that succeeded has a result"
        if not job.HasField("result"):
            return
        result = job.result
        assert not old.job.HasField("result"), "P7: a result is never replaced"
        assert result.attempt == old.job.attempt, "P9: a stale attempt never commits"
        made = (key, result.attempt, result.bundle.digest, old.job.host)
        assert made in self._truth.finished, "P9: a result is one that the host of the current attempt made"

    def _check_shape(self, new: JobRecord) -> None:
        job = new.job
        assert bool(job.host) == is_held(job.state), "P6: a host is named exactly while it holds the job"
        if job.state == JOB_STATE_PAUSED:
            assert job.desired == DESIRED_STATE_PAUSE, "a job that is to run is never left paused"
        if job.state in (JOB_STATE_QUEUED, JOB_STATE_RUNNING):
            assert job.desired == DESIRED_STATE_RUN, "a job that is to be paused never waits for a host or runs"

    def _check_budgets(self, old: JobRecord, new: JobRecord) -> None:
        """P19."""
        failed, lost = new.num_transient_failures, new.num_losses
        retry_max = new.job.spec.policies.retry_max
        if new.job.state == JOB_STATE_QUEUED:
            assert failed <= retry_max, "P19: a job is not tried again once its tries are used up"
            assert lost <= LOSSES_MAX, "P19: a job is not moved for ever"
        ended = _ended(old, new)
        was_pausing = old.job.state == JOB_STATE_PAUSING
        is_failure = ended.outcome == ATTEMPT_OUTCOME_FAILED and not was_pausing
        counts = is_failure and ended.failure.failure_class == FAILURE_CLASS_TRANSIENT
        assert failed - old.num_transient_failures == int(counts), "P19: a loss or a pause uses up no try"
        is_loss = ended.outcome == ATTEMPT_OUTCOME_LOST and not was_pausing
        got_on = is_loss and old.job.checkpoint.step > old.step_at_loss
        before = 0 if got_on else old.num_losses
        assert lost - before == int(is_loss), "P19: a failure uses up no loss, and a job that gets on has them anew"
        assert new.step_at_loss >= old.step_at_loss, "P19: what was got on with once counts once"
        if ended.outcome == ATTEMPT_OUTCOME_FAILED and ended.failure.failure_class != FAILURE_CLASS_TRANSIENT:
            assert is_terminal(new.job.state), "P19: what no retry mends is never retried"

    def _check_endings(self, writer: str, key: str, old: JobRecord, new: JobRecord) -> None:
        """An attempt ends for the reason that it really ended for."""
        ended = _ended(old, new)
        named = (key, ended.number)
        scheduler = self._truth.schedulers.get(writer)
        if scheduler is not None:
            assert scheduler.is_recovered, "P18: nothing is changed before recovery is over"
            assert scheduler.is_leading or scheduler.has_one_on_its_way(), "F15: who leads no longer changes nothing"
        if ended.number:
            ran, most = ended.runtime.ToMilliseconds() / 1000, self._clock.seconds - self._truth.began[named]
            assert ran <= most + 0.001, "no attempt is said to have been at work for longer than it was there"
        if ended.outcome == ATTEMPT_OUTCOME_FAILED:
            assert named in self._truth.failed, "an attempt that did not fail is never said to have failed"
        if ended.outcome == ATTEMPT_OUTCOME_LOST and ended.failure.reason == "HOST_LOST" and scheduler is not None:
            since = max(
                self._truth.began[named], scheduler.heard.get((ended.host, named), 0.0), scheduler.trusted_since
            )
            assert self._clock.seconds - since >= LEASE - 1e-6, "P17: no attempt is taken from a host within its lease"
        if ended.failure.reason == "HOST_RESTARTED" and ended.outcome == ATTEMPT_OUTCOME_LOST:
            # A scheduler that was started since knows a host as it was last written down, and may be over-careful.
            assert self._truth.num_restarts.get(ended.host), "a host that was not restarted is never said to have been"
        if ended.failure.reason == "HOST_GAVE_UP":
            assert named in self._truth.stopped, (
                "an attempt that goes on, or has a result, is never said to be given up"
            )


def _check_what_was_let_go(old: list[Transition], new: list[Transition], num_new: int) -> None:
    """P25: a history is never rewritten, and only what a later transition has replaced goes before the oldest."""
    kept = new[: len(new) - num_new]
    if len(kept) == len(old):
        assert kept == old, "P25: history is never rewritten"
        return
    numbers = {one.number for one in kept}
    assert kept == [one for one in old if one.number in numbers], "P25: history is never rewritten"
    newest = {one.event: one.number for one in new if one.event in REPLACEABLE_EVENTS}
    for one in old:
        if one.number not in numbers and one.number >= newest.get(one.event, 0):
            is_bare = all(left.number >= newest.get(left.event, 0) for left in new)
            assert is_bare, "P25: history lets go of what a later transition has replaced before anything else"


def _ended(old: JobRecord, new: JobRecord) -> Attempt:
    """The attempt that this write ended; an empty one when it ended none."""
    was_open = is_held(old.job.state)
    if was_open and new.job.attempts and new.job.attempts[-1].outcome != ATTEMPT_OUTCOME_UNSPECIFIED:
        return new.job.attempts[-1]
    return Attempt()


def check_beliefs(scheduler: SchedulerProcess, rows: dict[str, JobRecord]) -> None:
    """What one scheduler believes hangs together; and is the truth, once it has read everything."""
    jobs = scheduler.view.jobs
    held = {job.job_id: job for job in jobs.held}
    ends = scheduler.view.snapshot().lease_ends
    assert {job.key for job in held.values()} == ends.keys(), (
        "each held attempt has one lease, and nothing else has one"
    )
    leases = scheduler.view._leases
    for job in held.values():
        lease = leases.holder(job.job_id)
        assert lease is not None
        assert (lease.attempt, lease.host) == (job.attempt, job.host), "a lease is its holder's"
    waiting = [*jobs.queued_inference, *jobs.queued]
    queued = {job.job_id for job in waiting}
    assert not queued & held.keys(), "P6: no job waits and is held"
    assert len(queued) == len(waiting), "P6: no job waits twice"
    if scheduler.num_unread:
        return
    for job_id, record in rows.items():
        live = jobs.find(job_id)
        if is_terminal(record.job.state):
            assert live is None, "P20: what is over is not scheduled"
            continue
        assert live is not None, "P6: no live job is forgotten"
        place = live.view
        is_right = (
            (isinstance(place, QueuedJob) and record.job.state == JOB_STATE_QUEUED and job_id in queued)
            or (isinstance(place, HeldJob) and place.attempt == record.job.attempt and job_id in held)
            or (place is None and record.job.state == JOB_STATE_PAUSED)
        )
        assert is_right, "P6: a live job is queued, held or paused, and nothing else"


def check_reasons(scheduler: SchedulerProcess, now: Moment) -> None:
    """P6: each job that waits does so for a reason that can be told, and that is true once the scheduler rests."""
    view = scheduler.view
    for job in (*view.jobs.queued_inference, *view.jobs.queued):
        live = view.jobs.find(job.job_id)
        assert live is not None
        told = explain_queued(
            live.record.job, job, view.jobs.num_ahead(job), view.snapshot(), now=now.time, now_seconds=now.seconds
        )
        assert told.summary.removeprefix("QUEUED: "), "P6: a job waits for a stated reason"
        assert "about to be given" not in told.summary, "P6: a job that could be given to a host does not wait"


def check_models(jobs: dict[str, JobRecord], models: dict[str, ModelRecord], *, is_settled: bool) -> None:
    """P7: a model version for each training that succeeded, and none otherwise, not for a prediction either."""
    wanted = {
        job_id: record.job.result.bundle.digest
        for job_id, record in jobs.items()
        if record.job.state == JOB_STATE_SUCCEEDED and record.job.kind != INFER
    }
    for key, model in models.items():
        if key.count("/") == 1:
            names = [version.job for version in model.model.versions]
            assert len(names) == len(set(names)), "P7: a job is listed once among the versions"
            numbers = [version.number for version in model.model.versions]
            assert numbers == sorted(set(numbers)), "P7: the numbers of versions grow"
        for version in model.model.versions:
            job_id = version.job.rpartition("/")[2]
            assert wanted.get(job_id) == version.bundle.digest, "P7: no model without the success that made it"
    if is_settled:
        full = {key.rpartition("/")[2] for key in models if key.count("/") == 2}
        listed = {
            version.job.rpartition("/")[2]
            for key, model in models.items()
            if key.count("/") == 1
            for version in model.model.versions
        }
        assert full == listed == wanted.keys(), "P7: each success has its version, in full and in the list"
