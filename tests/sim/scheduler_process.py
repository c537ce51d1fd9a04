"""One start of the scheduler: the loops, the view and the conversations that run in production, moved step by step."""

from collections import deque
from collections.abc import Callable
from datetime import timedelta

from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO
from headway.v1.records_pb2 import HostRecord, JobRecord
from headway.v1.scheduler_service_pb2 import SynchronizeRequest, SynchronizeResponse
from scheduler.apply import Applier
from scheduler.cluster_view import ClusterView
from scheduler.events_publisher import EventsPublisher
from scheduler.jobs_follower import JobsFollower
from scheduler.passes import PassLoop
from scheduler.plan import Plan
from scheduler.presence import Presence
from scheduler.pulse import Pulse
from scheduler.reconcile import reconcile
from scheduler.signals import Signals
from scheduler.snapshot import AttemptKey
from scheduler.synchronize import Conversation, Synchronizer
from tests.sim.gateway_process import CALLER
from tests.sim.plans import check_plan
from tests.sim.routine import Routine, SimulatedClock, SimulatedEvent
from tests.sim.spawner import NoSpawner
from tests.sim.store import Link, SimulatedBus, SimulatedRecords, Table

LEASE = 15.0
_ROUNDING = 1e-6


class OrderlyApplier(Applier):
    """One write after the other: which of them meets which news is the simulator's choice."""

    def __init__(
        self,
        records: SimulatedRecords[JobRecord],
        view: ClusterView,
        clock: SimulatedClock,
        is_leading: Callable[[], bool],
    ) -> None:
        super().__init__(records, view, clock, clean=str, is_leading=self.leads)
        self._knows_leader = is_leading
        self.view = view
        self._seconds = clock.monotonic
        self.is_done = True
        self.has_acted = False

    def leads(self) -> bool:
        """The look before each write; a tooth takes it out here."""
        return self._knows_leader()

    async def apply(self, plan: Plan) -> bool:
        if plan.endings or plan.claims:
            check_plan(plan, self.view, self._seconds())
            self.has_acted = True
        self.is_done = all([await self._apply_one(action) for action in (*plan.endings, *plan.claims)])
        return self.is_done


class SchedulerProcess:
    """What is in one process; all of it is lost when it dies."""

    def __init__(
        self,
        name: str,
        jobs: Table[JobRecord],
        hosts: Table[HostRecord],
        bus: SimulatedBus,
        clock: SimulatedClock,
    ) -> None:
        self.name = name
        self.link = Link(name)
        self.is_frozen = False
        self.is_leading = True
        """Whether its leader lease lasts; without one it changes nothing. `test_leaders` has the lease itself."""
        self._may_be_late = True
        self.recovered_at: float | None = None
        self.trusted_since = clock.seconds
        self._ran_at = clock.seconds
        self._clock = clock
        self._jobs = jobs
        signals = Signals()
        self.signals = signals

        def leads() -> bool:
            return self.is_leading

        self.view = ClusterView(LEASE, EXECUTION_MODE_AUTO, signals)
        self.applier = OrderlyApplier(SimulatedRecords(jobs, self.link), self.view, clock, leads)
        pulse = Pulse(self.view, clock, lease_seconds=LEASE)
        self._presence = Presence(bus, self.view, signals, clock, lease_seconds=LEASE, is_leading=leads)
        self._presence._records = SimulatedRecords(hosts, self.link)
        passes = PassLoop(self.view, self.applier, signals, pulse, clock, on_host_lost=self._presence.host_lost)
        self._recovered = SimulatedEvent()
        self._passes = Routine(passes.run(self._recovered))
        self._pulse = Routine(pulse.run())
        self._follower = JobsFollower(bus, self.view, clock)
        self.synchronizer = Synchronizer(self.view, signals, NoSpawner(), clock, lease=timedelta(seconds=LEASE))
        self.publisher = EventsPublisher(SimulatedBus(clock, bus), clock, clean=str, is_leading=leads)
        self._backlog = deque(sorted(jobs.rows.values(), key=lambda message: message.sequence))
        self._place = len(jobs.log)
        self._seen = (-1, -1)
        for message in hosts.rows.values():
            self._presence._take_in(message)
        self.heard: dict[tuple[str, AttemptKey], float] = {}

    @property
    def is_recovered(self) -> bool:
        return self._recovered.is_set()

    @property
    def num_unread(self) -> int:
        return len(self._backlog) + len(self._jobs.log) - self._place

    def has_one_on_its_way(self) -> bool:
        """Whether a write without the lease may be one that was sent while it lasted: one at most."""
        may_be_late, self._may_be_late = self._may_be_late, False
        return may_be_late

    def has_news(self) -> bool:
        """Whether its beliefs may have changed since the last look."""
        seen, self._seen = self._seen, (len(self._jobs.log), self.num_unread)
        return seen != self._seen

    def follow(self, at_most: int) -> None:
        """Read on in the bucket of jobs; recovery is over with what was there at the start."""
        for _ in range(at_most):
            if self._backlog:
                self._follower.take_in(self._backlog.popleft())
            elif self._place < len(self._jobs.log):
                self._place += 1
                self._follower.take_in(self._jobs.log[self._place - 1])
            else:
                break
        if not self._backlog and not self._recovered.is_set():
            self._recovered.set()

    def run(self) -> None:
        """Everything that is due, to its end."""
        self._feel()
        self._pulse.run()
        self._passes.run()
        self._take_note()
        if self.applier.has_acted and self.applier.is_done and not self.signals.pass_wanted.is_set():
            self.applier.has_acted = False
            rest = reconcile(self.view.snapshot(), self._clock.seconds - _ROUNDING)
            assert rest == Plan(), "the plan of a plan's result is empty"

    def step(self) -> None:
        """One pause of the pass under way."""
        self._feel()
        self._passes.step()
        self._take_note()

    def _feel(self) -> None:
        """After a time in which it did not run, silence proves nothing."""
        if self._clock.seconds - self._ran_at > LEASE / 2:
            self.trusted_since = self._clock.seconds
        self._ran_at = self._clock.seconds

    def _take_note(self) -> None:
        if self._passes.error is not None:
            raise self._passes.error
        if self.recovered_at is None and self._recovered.is_set():
            self.recovered_at = self.trusted_since = self._clock.seconds

    def write_hosts(self) -> None:
        """A round of presence, undisturbed."""
        Routine(self._presence.write_once()).run()

    def hear(self, talk: Conversation, request: SynchronizeRequest) -> None:
        """One message of one stream, as `Synchronizer` hears it."""
        if talk.is_over:
            return
        try:
            self.synchronizer._hear(talk, request, CALLER)
        except Exception as error:  # noqa: BLE001 - it ends the stream, as in production
            talk.end(error)
            return
        talk.sequence = request.sequence
        for report in request.attempts:
            key = (report.job.rpartition("/")[2], report.attempt)
            self.heard[request.host.name, key] = self._clock.seconds

    def answer(self, talk: Conversation) -> SynchronizeResponse | None:
        """What the host should be doing now."""
        return None if talk.is_over else self.synchronizer._wanted(talk)

    def hang_up(self, talk: Conversation) -> None:
        self.synchronizer._hang_up(talk)

    def kill(self) -> None:
        self._passes.kill()
        self._pulse.kill()
