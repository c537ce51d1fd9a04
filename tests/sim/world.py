"""Everything there is in a history: a store, a gateway, schedulers, hosts and the streams between them.

The methods are what the world can do; `actions` chooses among them. Time moves only here.
"""

from collections.abc import Iterable
from datetime import timedelta

from headway.contract import transitions
from headway.contract.errors import HeadwayError
from headway.contract.kinds import INFER, kind_of
from headway.contract.states import is_held
from headway.contract.transitions import Submission
from headway.runtime.feeds import Message
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_SUCCEEDED,
    Admission,
    FailureClass,
    Job,
)
from headway.v1.records_pb2 import HostRecord, JobRecord, ModelRecord
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptReport, AttemptStop
from scheduler.cluster_view import Moment
from scheduler.snapshot import AttemptKey
from scheduler.synchronize import Conversation
from tests.sim.event_feed import EventFeed
from tests.sim.gateway_process import GatewayProcess
from tests.sim.host import Finished, SimulatedHost, Stream, job_id_of, job_name
from tests.sim.invariants import Truth, Watcher, check_beliefs, check_models, check_reasons
from tests.sim.routine import Routine, SimulatedClock
from tests.sim.scheduler_process import LEASE, SchedulerProcess
from tests.sim.store import SimulatedBus, SimulatedRecords, Table

_SLICE_SECONDS = LEASE / 4


class World:
    """One history under way."""

    def __init__(self, *, is_told: bool = False) -> None:
        self.lines: list[str] = []
        self.is_told = is_told
        self.clock = SimulatedClock()
        self.truth = Truth()
        self.watcher = Watcher(self.truth, self.clock)
        self.jobs = Table(JobRecord, self.clock, self._job_written)
        self.models = Table(ModelRecord, self.clock)
        self.host_rows = Table(HostRecord, self.clock)
        self.bus = SimulatedBus(self.clock)
        self.event_feed = EventFeed(self.jobs, self.bus, self.clock)
        self.publishes = False
        """Whether events are made in this history; they cost as much as all the rest."""
        self.has_leases = False
        """Whether a scheduler that another follows finds out by its lease; without one, no promise may break all the
        same."""
        self.hosts: list[SimulatedHost] = []
        self.streams: list[Stream] = []
        self.zombies: list[SchedulerProcess] = []
        self.num_schedulers = 0
        self.num_digests = 0
        self.completions: list[str] = []
        self.gateway = GatewayProcess(self.jobs, self.models, self.bus, self.clock)
        self.scheduler: SchedulerProcess | None = None
        self.start_scheduler().follow(1)

    def say(self, *words: object) -> None:
        """A line of the trace."""
        if self.is_told:
            self.lines.append(f"{self.clock.seconds:8.2f}  " + " ".join(str(word) for word in words))

    def _job_written(self, writer: str, key: str, before: JobRecord | None, after: JobRecord) -> None:
        if self.is_told:
            for one in after.job.transitions:
                if before is None or one.number >= before.next_transition:
                    self.say("   ", key, one.event, f"attempt {one.attempt}", one.host, one.reason, "by", writer)
        self.watcher.job_written(writer, key, before, after)

    # Callers.

    def submit(self, spec: JobSpec) -> None:
        job_id = "jaaaaaaaaaaaaaaaaaaaaaaaa" + "bcdefghijklmnopqrstuvwxyz"[len(self.jobs.rows) % 25]
        if job_id in self.jobs.rows:
            return
        kind = kind_of(spec)
        submission = Submission(
            name=job_name(job_id),
            spec=spec,
            kind=kind,
            user_id="ada",
            admission=Admission(),
            model_id="" if kind == INFER else "iris",
        )
        record = transitions.submit(submission, now=self.clock.now())
        self.gateway.start(SimulatedRecords(self.jobs, self.gateway.link).create(job_id, record), lambda _: None)

    def wish(self, verb: str, job_id: str) -> None:
        """Cancel, pause or resume."""

        def ended(call: Routine[object]) -> None:
            self.say("answer to", verb, job_id, call.error or "done")
            if verb == "cancel" and isinstance(call.value, Job):
                assert call.value.state in (JOB_STATE_CANCELLING, JOB_STATE_CANCELLED), "P21: a cancel is one"
                self.truth.cancelled.add(job_id)

        calls = {"cancel": self.gateway.cancel, "pause": self.gateway.pause, "resume": self.gateway.resume}
        self.gateway.start(calls[verb](job_name(job_id)), ended)

    def prioritise(self, job_id: str, priority: int) -> None:
        self.gateway.start(self.gateway.prioritise(job_name(job_id), priority), lambda _: None)

    # Hosts.

    def add_host(self, num_slots: int) -> SimulatedHost:
        host = SimulatedHost(["anton", "berta", "carl", "dora"][len(self.hosts)], num_slots, 1000, self.clock)
        self.hosts.append(host)
        return host

    def restart_host(self, host: SimulatedHost, *, with_disk: bool) -> None:
        host.restart(with_disk=with_disk)
        self.truth.num_restarts[host.name] = self.truth.num_restarts.get(host.name, 0) + 1
        for key, one in host.attempts.items():
            if one.outcome == ATTEMPT_OUTCOME_LOST:
                self.truth.stopped.add(key)

    def fail(self, host: SimulatedHost, key: AttemptKey, failure_class: "FailureClass.ValueType") -> None:
        self.truth.failed.add(key)
        host.end(key, ATTEMPT_OUTCOME_FAILED, failure_class)

    def finish(self, host: SimulatedHost, key: AttemptKey, score: float) -> None:
        """Training is done: the result is in the outbox."""
        self.num_digests += 1
        digest = f"sha256:{self.num_digests:064x}"
        host.outbox[key] = Finished(digest, score)
        self.truth.finished.add((key[0], key[1], digest, host.name))

    def deliver(self, host: SimulatedHost, key: AttemptKey, digest: str = "") -> None:
        """Try to commit a result; another digest is one that this attempt did not make, or made besides."""
        kept = host.outbox[key]
        boot = host.boot
        if digest:
            self.truth.finished.add((key[0], key[1], digest, host.name))
        host.delivering.add(key)

        def ended(call: Routine[object]) -> None:
            self.say("answer to the result of", key, call.error or "committed")
            self._check_answer(host, key, digest or kept.digest, call.error)
            if host.boot == boot:
                host.delivering.discard(key)
                self._settle(host, key, call.error)

        call = self.gateway.commit(job_name(key[0]), key[1], host.name, digest or kept.digest, kept.score)
        self.gateway.start(call, ended)

    def _settle(self, host: SimulatedHost, key: AttemptKey, error: Exception | None) -> None:
        reason = error.reason if isinstance(error, HeadwayError) else ""
        if error is None:
            host.end(key, ATTEMPT_OUTCOME_SUCCEEDED)
        elif reason == "CANCELLED":
            host.end(key, ATTEMPT_OUTCOME_CANCELLED)
        elif reason in ("STALE_ATTEMPT", "ALREADY_SAVED"):
            host.end(key, ATTEMPT_OUTCOME_LOST)
        else:
            return
        host.outbox.pop(key, None)
        if error is not None:
            self.truth.stopped.add(key)

    def _check_answer(self, host: SimulatedHost, key: AttemptKey, digest: str, error: Exception | None) -> None:
        record = self.jobs.values[key[0]]
        job = record.job
        if error is None:
            assert job.HasField("result"), "P8: a result is acknowledged only when it is recorded"
            assert job.result.bundle.digest == digest, "P8: what is acknowledged is what is recorded"
            if job.state == JOB_STATE_SUCCEEDED and job.kind != INFER:
                assert f"demo/iris/{key[0]}" in self.models.rows, "P7: a success is acknowledged with its version"
            return
        reason = error.reason if isinstance(error, HeadwayError) else type(error).__name__
        if reason == "STORE_UNAVAILABLE":
            return
        assert reason in ("STALE_ATTEMPT", "CANCELLED", "ALREADY_SAVED"), f"a refusal has its reason, not {error!r}"
        assert job.result.bundle.digest != digest, "P8: a result that is recorded is acknowledged at each repeat"
        is_current = (job.attempt, job.host) == (key[1], host.name) and is_held(job.state)
        is_wanted = is_current and job.state != JOB_STATE_CANCELLING
        assert not is_wanted, "P11: the result of the current attempt is never refused"

    def checkpoint(self, host: SimulatedHost, key: AttemptKey) -> None:
        one = host.attempts[key]
        one.step = max(one.step, self.jobs.values[key[0]].job.checkpoint.step) + 1
        self.num_digests += 1
        call = self.gateway.checkpoint(job_name(key[0]), key[1], host.name, one.step, f"sha256:{self.num_digests:064x}")
        self.gateway.start(call, lambda _: None)

    # Streams.

    def speak(self, host: SimulatedHost) -> None:
        """The host says what it holds, on its stream or on a new one."""
        if not host.is_acting:
            return
        if host.stream is None:
            if self.scheduler is None or host.is_cut_off:
                return
            host.stream = Stream(host, self.scheduler, Conversation(self.clock.seconds))
            self.streams.append(host.stream)
        self.truth.stopped |= host.stop_what_is_used_up()
        host.stream.up.append(host.request())

    def carry_up(self, stream: Stream) -> None:
        """One message arrives, and is answered."""
        if not stream.up or stream.scheduler.is_frozen or (stream.host.is_cut_off and not stream.is_left):
            return
        request = stream.up.popleft()
        self.say(stream.scheduler.name, "hears", stream.host.name, request.host.boot_id, _told(request.attempts))
        stream.scheduler.hear(stream.talk, request)
        if stream.talk.error is not None:
            self.say("refused:", stream.talk.error)
            self.end_stream(stream)
            return
        self.answer(stream)

    def answer(self, stream: Stream) -> None:
        if stream.scheduler.is_frozen:
            return
        response = stream.scheduler.answer(stream.talk) if not stream.is_left else None
        if response is not None:
            stream.down.append(response)
        if stream.talk.is_over:
            self.end_stream(stream)

    def carry_down(self, stream: Stream) -> None:
        """One answer arrives."""
        if not stream.down or stream.is_left or stream.host.is_cut_off or not stream.host.is_acting:
            return
        response = stream.down.popleft()
        self.say(stream.host.name, "is told: run", _told(response.run), "stop", _told(response.stop))
        before = {key for key, one in stream.host.attempts.items() if one.outcome}
        stream.host.obey(response)
        self.truth.stopped |= {
            key
            for key, one in stream.host.attempts.items()
            if one.outcome not in (0, ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_SUCCEEDED) and key not in before
        }

    def end_stream(self, stream: Stream) -> None:
        """Both sides know that it is over."""
        stream.scheduler.hang_up(stream.talk)
        stream.talk.end()
        stream.is_left = True
        if stream.host.stream is stream:
            stream.host.stream = None
        if stream in self.streams:
            self.streams.remove(stream)

    # Schedulers.

    def start_scheduler(self) -> SchedulerProcess:
        """A new process; the one before, if it is there, goes on without knowing."""
        self.num_schedulers += 1
        name = f"scheduler-{self.num_schedulers}"
        self.scheduler = SchedulerProcess(name, self.jobs, self.host_rows, self.bus, self.clock)
        self.truth.schedulers[name] = self.scheduler
        self.scheduler.run()
        return self.scheduler

    def kill_scheduler(self, scheduler: SchedulerProcess) -> None:
        scheduler.kill()
        self.event_feed.forget(scheduler)
        for stream in [one for one in self.streams if one.scheduler is scheduler]:
            if stream.host.stream is stream:
                stream.host.stream = None
            self.streams.remove(stream)
        if self.scheduler is scheduler:
            self.scheduler = None
        else:
            self.zombies.remove(scheduler)

    def take_over(self) -> None:
        """Another scheduler starts while the one before still believes that it is the one."""
        if self.scheduler is not None:
            self.zombies.append(self.scheduler)
            self.scheduler.is_leading = not self.has_leases
            for stream in [one for one in self.streams if one.scheduler is self.scheduler]:
                stream.host.leave_stream()
        self.start_scheduler()

    def all_schedulers(self) -> list[SchedulerProcess]:
        return [*self.zombies, *([self.scheduler] if self.scheduler is not None else [])]

    def start_gateway(self) -> None:
        """It dies, and another one starts."""
        self.gateway.kill()
        for host in self.hosts:
            host.delivering.clear()
        self.gateway = GatewayProcess(self.jobs, self.models, self.bus, self.clock)

    def repair(self) -> None:
        """The gateway hears of one completed job; for ever again until it was done with."""
        done = [key for key, record in self.jobs.values.items() if record.job.state == JOB_STATE_SUCCEEDED]
        for job_id in done:
            if job_id not in self.completions:
                message = Message(
                    subject="",
                    key="",
                    data=b"",
                    sequence=1,
                    time=self.clock.now(),
                    headers={"Nats-Msg-Id": f"{job_id}:9"},
                )

                def ended(call: Routine[object], job_id: str = job_id) -> None:
                    if call.error is None:
                        self.completions.append(job_id)

                self.gateway.start(self.gateway.repair(message), ended)
                return

    # Time.

    def wait(self, seconds: float) -> None:
        """Time passes; processes that run feel their pulse and do what is due."""
        while seconds > 0:
            slice_seconds = min(seconds, _SLICE_SECONDS)
            self.clock.seconds += slice_seconds
            seconds -= slice_seconds
            for scheduler in self.all_schedulers():
                if not scheduler.is_frozen:
                    scheduler.run()

    def jump(self, days: int) -> None:
        self.clock.wall_jump += timedelta(days=days)

    # What must hold.

    def check(self) -> None:
        """After every step."""
        for scheduler in self.all_schedulers():
            if scheduler.has_news():
                check_beliefs(scheduler, self.jobs.values)
        if self.models.has_news():
            check_models(self.jobs.values, self.models.values, is_settled=False)

    def rest(self) -> None:
        """The scheduler comes to rest; then whoever waits, waits for a reason."""
        scheduler = self.scheduler
        if scheduler is None or scheduler.is_frozen:
            return
        scheduler.follow(1000)
        scheduler.run()
        if scheduler.applier.is_done and not scheduler.signals.pass_wanted.is_set():
            check_reasons(scheduler, Moment(self.clock.now(), self.clock.seconds))

    def publish(self, scheduler: SchedulerProcess, num_steps: int) -> None:
        """Let a scheduler make events, in a history that has them."""
        if self.publishes and not scheduler.is_frozen:
            self.event_feed.work(scheduler, num_steps)
            self.event_feed.check(is_settled=False)


def _told(attempts: Iterable[AttemptReport | AttemptOrder | AttemptStop]) -> str:
    return "[" + ", ".join(f"{job_id_of(one.job)}/{one.attempt}" for one in attempts) + "]"
