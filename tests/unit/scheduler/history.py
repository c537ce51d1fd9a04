"""The whole of scheduling without I/O: a view, records, hosts that obey or fall silent, and a gateway that commits.

Time is a number, the network is a list, and every step is deterministic, so that a history can be replayed and shrunk.
What must never happen is in `check`; `settle` is what must happen in the end.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from headway.contract import transitions
from headway.contract.errors import HeadwayError, JobCancelled, StaleAttempt
from headway.contract.pausing import request_pause, request_resume
from headway.contract.states import is_held, is_terminal
from headway.testing.builders import A_MOMENT, a_host, a_record, a_spec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, JobSpec, Policies
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    DESIRED_STATE_PAUSE,
    DESIRED_STATE_RUN,
    FAILURE_CLASS_TRANSIENT,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    AttemptOutcome,
    JobResult,
    JobState,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.scheduler_service_pb2 import SynchronizeResponse
from scheduler.apply import next_record
from scheduler.cluster_view import ClusterView, Moment
from scheduler.desired import desired_state
from scheduler.host_table import Voice, Word
from scheduler.reconcile import reconcile
from scheduler.signals import Signals
from scheduler.snapshot import AttemptEnd, AttemptKey

LEASE = 15.0


@dataclass
class SimulatedHost:
    """One host as it really is, whatever the scheduler believes."""

    host_id: str
    num_slots: int
    boot: int = 1
    is_up: bool = True
    voice: Voice = field(default_factory=Voice)
    attempts: dict[AttemptKey, "AttemptOutcome.ValueType"] = field(default_factory=dict)
    answers: list[SynchronizeResponse] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"hosts/{self.host_id}"

    def word(self) -> Word:
        host = a_host(self.host_id, num_slots=self.num_slots, boot_id=f"boot-{self.boot}")
        reported = {key: f"projects/demo/jobs/{key[0]}" for key in self.attempts}
        ended = tuple(
            AttemptEnd(*key, outcome, FAILURE_CLASS_TRANSIENT, "BROKEN", "it broke")
            for key, outcome in self.attempts.items()
            if outcome
        )
        return Word(host, reported, ended)

    def obey(self, response: SynchronizeResponse) -> None:
        for reference in response.release:
            self.attempts.pop((_id(reference.job), reference.attempt), None)
        for order in response.run:
            self.attempts.setdefault((_id(order.job), order.attempt), ATTEMPT_OUTCOME_UNSPECIFIED)
        for stop in response.stop:
            key = (_id(stop.job), stop.attempt)
            if key in self.attempts and stop.reason == stop.REASON_STALE:
                del self.attempts[key]
            elif self.attempts.get(key) == 0:
                is_pause = stop.reason == stop.REASON_PAUSE
                self.attempts[key] = ATTEMPT_OUTCOME_PAUSED if is_pause else ATTEMPT_OUTCOME_CANCELLED


class History:
    """One run of the world."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.records: dict[str, tuple[int, JobRecord]] = {}
        self.hosts: dict[str, SimulatedHost] = {}
        self.view = self._new_view()
        self.claims: Counter[AttemptKey] = Counter()
        self.over: dict[str, JobState.ValueType] = {}
        self.acknowledged_cancels: set[str] = set()
        self.revision = 0

    def _new_view(self) -> ClusterView:
        return ClusterView(LEASE, EXECUTION_MODE_AUTO, Signals())

    def now(self) -> Moment:
        return Moment(A_MOMENT + timedelta(seconds=self.seconds), self.seconds)

    # What callers, the gateway and the world do.

    def submit(self, priority: int) -> str:
        spec: JobSpec = a_spec(priority=priority, policies=Policies(retry_max=2))
        record = a_record(spec, now=self.now().time)
        job_id = _id(record.job.name)
        self._write(job_id, record)
        return job_id

    def cancel(self, job_id: str) -> None:
        _, record = self.records[job_id]
        try:
            changed = transitions.request_cancel(record, message="", now=self.now().time)
        except HeadwayError:
            return
        if changed is not None:
            self._write(job_id, changed)
        self.acknowledged_cancels.add(job_id)

    def pause(self, job_id: str) -> None:
        self._wish(job_id, lambda record: request_pause(record, message="", now=self.now().time))

    def resume(self, job_id: str) -> None:
        self._wish(job_id, lambda record: request_resume(record, message="", now=self.now().time))

    def _wish(self, job_id: str, wish: Callable[[JobRecord], JobRecord | None]) -> None:
        try:
            changed = wish(self.records[job_id][1])
        except HeadwayError:
            return
        if changed is not None:
            self._write(job_id, changed)

    def commit(self, host: SimulatedHost, key: AttemptKey) -> None:
        """The gateway hears of a result; a stale or cancelled one changes nothing."""
        job_id, attempt = key
        result = JobResult(attempt=attempt)
        try:
            changed = transitions.commit_result(
                self.records[job_id][1], host=host.name, result=result, now=self.now().time
            )
        except (StaleAttempt, JobCancelled, HeadwayError):
            return
        self._write(job_id, changed)

    def finish(self, host: SimulatedHost, outcome: "AttemptOutcome.ValueType") -> None:
        running = [key for key, ended in host.attempts.items() if not ended]
        if running:
            host.attempts[running[0]] = outcome
        if outcome == ATTEMPT_OUTCOME_SUCCEEDED and running:
            self.commit(host, running[0])

    def join(self, host_id: str, num_slots: int) -> None:
        self.hosts.setdefault(host_id, SimulatedHost(host_id, num_slots)).is_up = True

    def restart_host(self, host: SimulatedHost) -> None:
        """Its process died with all attempts, and another was started; the stream was closed by the kernel."""
        self.view.hang_up(host.name, host.voice)
        host.boot += 1
        host.attempts.clear()
        host.answers.clear()
        host.voice = Voice()
        host.is_up = True

    def beat(self, host: SimulatedHost, *, loses_the_answer: bool = False) -> None:
        if not host.is_up:
            return
        self.view.hear(host.word(), host.voice, self.now())
        live = self.view.hosts.find(host.name)
        assert live is not None
        held = [(job, found.record) for job, found in self.view.orders_for(host.name)]
        response = desired_state(
            live, held, lambda key: self.view.standing(host.name, key), lease=timedelta(seconds=LEASE)
        )
        if not loses_the_answer:
            host.answers.append(response)

    def deliver(self, host: SimulatedHost) -> None:
        """Everything that is on its way arrives, in order, however old it is."""
        for response in host.answers:
            host.obey(response)
        host.answers.clear()

    # What the scheduler does.

    def a_pass(self) -> None:
        self.view.lose_silent_hosts(self.now())
        while self._carry_out():
            pass

    def _carry_out(self) -> bool:
        plan = reconcile(self.view.snapshot(), self.seconds)
        actions = [*plan.endings, *plan.claims]
        assert len({action.job_id for action in actions}) == len(actions), "a plan touches a job once"
        for action in actions:
            live = self.view.jobs.find(action.job_id)
            assert live is not None, "a plan is about live jobs"
            changed = next_record(live.record, action, now=self.now().time, clean=str)
            assert changed is not None, "a plan that changes nothing would be made again for ever"
            if changed.job.attempt > live.record.job.attempt:
                self.claims[action.job_id, changed.job.attempt] += 1
            self._write(action.job_id, changed)
        return bool(actions)

    def restart_scheduler(self) -> None:
        """It comes back with what the bucket holds, and every stream is opened anew."""
        self.view = self._new_view()
        for job_id, (revision, record) in self.records.items():
            self.view.put_job(job_id, revision, record, self.now())
        self.view.restart_leases(self.now())

    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    # What must hold.

    def check(self) -> None:
        snapshot = self.view.snapshot()
        for job_id, (_, record) in self.records.items():
            state = record.job.state
            assert self.over.setdefault(job_id, state) == state or not is_terminal(self.over[job_id]), (
                "terminal states are never left"
            )
            self.over[job_id] = state
            if job_id in self.acknowledged_cancels:
                assert state != JOB_STATE_SUCCEEDED, "an acknowledged cancel never turns into success"
            self._check_pause(record)
        assert all(count == 1 for count in self.claims.values()), "an attempt number never repeats"
        held = {job.key for job in snapshot.held}
        assert held == set(snapshot.lease_ends), "each held attempt has exactly one lease, and nothing else has one"
        assert len({job_id for job_id, _ in snapshot.lease_ends}) == len(held), "no job has two leases"
        self._check_capacity()

    def _check_pause(self, record: JobRecord) -> None:
        job = record.job
        if job.state == JOB_STATE_PAUSED:
            assert job.desired == DESIRED_STATE_PAUSE, "a job that is to run is never left paused"
            assert not job.host, "no host holds a paused job"
        if job.state in (JOB_STATE_QUEUED, JOB_STATE_RUNNING):
            assert job.desired == DESIRED_STATE_RUN, "a job that is to be paused never waits for a host or runs"
        spent = sum(attempt.outcome in (FAILED, ATTEMPT_OUTCOME_LOST) for attempt in job.attempts)
        assert record.num_transient_failures + record.num_losses <= spent, "a pause uses up no budget"

    def _check_capacity(self) -> None:
        running = Counter(job.host for job in self.view.snapshot().held)
        for host in self.hosts.values():
            assert running[host.name] <= host.num_slots, "a host is never given more than its slots"

    def check_idempotence(self) -> None:
        plan = reconcile(self.view.snapshot(), self.seconds)
        assert (plan.endings, plan.claims) == ((), ()), "the plan of a plan's result is empty"

    def settle(self) -> None:
        """With everybody well again, every job ends: nothing is stuck (P6, P13)."""
        self.join("anton", 4)
        for host in self.hosts.values():
            host.is_up = True
        for job_id in self.records:
            self.resume(job_id)
        for _ in range(400):
            for host in self.hosts.values():
                self.beat(host)
                self.deliver(host)
                self.finish(host, ATTEMPT_OUTCOME_SUCCEEDED)
                self.beat(host)
            self.a_pass()
            self.check()
            if all(is_terminal(record.job.state) for _, record in self.records.values()):
                return
            self.wait(LEASE / 3)
        stuck = [record.job for _, record in self.records.values() if not is_terminal(record.job.state)]
        raise AssertionError(f"a job is stuck: {stuck[0]}")

    def _write(self, job_id: str, record: JobRecord) -> None:
        self.revision += 1
        self.records[job_id] = (self.revision, record)
        self.view.put_job(job_id, self.revision, record, self.now())


def is_waiting(record: JobRecord) -> bool:
    return record.job.state == JOB_STATE_QUEUED or is_held(record.job.state)


FAILED, SUCCEEDED, PAUSED = ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_SUCCEEDED, ATTEMPT_OUTCOME_PAUSED


def _id(name: str) -> str:
    return name.rpartition("/")[2]
