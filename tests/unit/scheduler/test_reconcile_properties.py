"""Safety and progress of scheduling under everything that hosts, networks and callers may do, a sentence each.

The sentences are in history.py. A failure prints the steps that lead to it, shrunk by Hypothesis.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from headway.contract.modes import Wish
from headway.testing.builders import a_host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import AttemptOutcome
from scheduler.placement import rooms_of
from scheduler.reconcile import reconcile
from scheduler.snapshot import Demand, HeldJob, HostView, QueuedJob, Snapshot
from tests.unit.scheduler.history import FAILED, PAUSED, SUCCEEDED, History, SimulatedHost
from tests.unit.scheduler.views import a_held, a_queued, a_view

HOST_IDS = st.sampled_from(["anton", "berta", "carl"])
INDEX = st.integers(0, 50)


class Scheduling(RuleBasedStateMachine):
    """Everybody acts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = History()

    def pick(self, index: int) -> SimulatedHost:
        hosts = sorted(self.world.hosts.values(), key=lambda host: host.host_id)
        return hosts[index % len(hosts)]

    @rule(priority=st.integers(-2, 2))
    def submit(self, priority: int) -> None:
        self.world.submit(priority)

    @rule(host_id=HOST_IDS, num_slots=st.integers(1, 3))
    def join(self, host_id: str, num_slots: int) -> None:
        self.world.join(host_id, num_slots)

    @precondition(lambda self: self.world.records)
    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        self.world.cancel(sorted(self.world.records)[index % len(self.world.records)])

    @precondition(lambda self: self.world.records)
    @rule(index=INDEX)
    def pause(self, index: int) -> None:
        self.world.pause(sorted(self.world.records)[index % len(self.world.records)])

    @precondition(lambda self: self.world.records)
    @rule(index=INDEX)
    def resume(self, index: int) -> None:
        self.world.resume(sorted(self.world.records)[index % len(self.world.records)])

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX, loses_the_answer=st.booleans())
    def beat(self, index: int, loses_the_answer: bool) -> None:
        self.world.beat(self.pick(index), loses_the_answer=loses_the_answer)

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX)
    def deliver(self, index: int) -> None:
        self.world.deliver(self.pick(index))

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX, outcome=st.sampled_from([FAILED, SUCCEEDED, PAUSED]))
    def finish(self, index: int, outcome: "AttemptOutcome.ValueType") -> None:
        self.world.finish(self.pick(index), outcome)

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX)
    def fall_silent(self, index: int) -> None:
        self.pick(index).is_up = False

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX)
    def come_back(self, index: int) -> None:
        self.pick(index).is_up = True

    @precondition(lambda self: self.world.hosts)
    @rule(index=INDEX)
    def restart_host(self, index: int) -> None:
        self.world.restart_host(self.pick(index))

    @rule()
    def a_pass(self) -> None:
        self.world.a_pass()
        self.world.check_idempotence()

    @rule()
    def restart_scheduler(self) -> None:
        self.world.restart_scheduler()

    @rule(seconds=st.sampled_from([0.5, 3.0, 14.0, 16.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.settle()


def test_no_history_breaks_a_promise_and_every_job_ends() -> None:
    run_state_machine_as_test(Scheduling, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


_demands = st.builds(
    Demand,
    st.builds(
        Wish,
        st.sampled_from([EXECUTION_MODE_AUTO, EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST]),
        st.booleans(),
        st.sampled_from(["", "t4", "rtx"]),
        st.sampled_from(["tabular_train", "custom"]),
    ),
    st.integers(0, 2),
    st.sampled_from([0, 100, 600, 5000]),
)
_hosts = st.lists(
    st.builds(
        lambda at, mode, slots, gpus, memory, draining, connected: a_view(
            a_host(f"h{at}", mode=mode, num_slots=slots, gpus=gpus, memory_mib=memory, draining=draining),
            connected=connected,
        ),
        st.integers(0, 10_000),
        st.sampled_from([EXECUTION_MODE_LOCAL, EXECUTION_MODE_HOST]),
        st.integers(1, 4),
        st.sampled_from([(), ("NVIDIA T4",), ("NVIDIA T4", "RTX 4090")]),
        st.sampled_from([500, 1000, 8000]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=5,
    unique_by=lambda view: view.facts.name,
)


@given(hosts=_hosts, demands=st.lists(_demands, max_size=12), held=st.lists(_demands, max_size=3))
def test_a_plan_never_exceeds_what_a_host_has(hosts: list[HostView], demands: list[Demand], held: list[Demand]) -> None:
    queued = [a_queued(f"q{at:02}", demand, at=at) for at, demand in enumerate(demands)]
    holding = _held_where_they_fit(hosts, held)
    snapshot = Snapshot(queued=queued, held=holding, hosts=hosts, lease_ends={job.key: 10.0 for job in holding})
    rooms = rooms_of(hosts, holding)
    by_id = {job.job_id: job for job in queued}

    claims = reconcile(snapshot, 0.0).claims

    for claim in claims:
        job, room = by_id[claim.job_id], rooms[claim.host.name]
        assert room.host.connected, "an order reaches its host at once"
        assert not claim.host.draining
        assert claim.host.mode == claim.mode
        assert job.demand.wish.kind in claim.host.kinds
        assert room.fits(job.demand), "group placements never exceed what is left"
        room.take(job.demand)
    assert len({claim.job_id for claim in claims}) == len(claims), "a job is given away once"
    _check_nobody_is_left_out(queued, {claim.job_id for claim in claims}, snapshot)


def _held_where_they_fit(hosts: list[HostView], demands: list[Demand]) -> list[HeldJob]:
    rooms, held = rooms_of(hosts, []), []
    for at, demand in enumerate(demands):
        room = next((room for room in rooms.values() if room.fits(demand)), None)
        if room is not None:
            room.take(demand)
            held.append(a_held(f"h{at}", host=room.host.facts.name, demand=demand))
    return held


def _check_nobody_is_left_out(queued: list[QueuedJob], claimed: set[str], snapshot: Snapshot) -> None:
    """A job left waiting could not have been given away instead: alone, after the others, nothing is claimed."""
    facts = {claim.job_id: claim for claim in reconcile(snapshot, 0.0).claims}
    also_held = [
        *snapshot.held,
        *(
            a_held(job.job_id, host=facts[job.job_id].host.name, demand=job.demand)
            for job in queued
            if job.job_id in claimed
        ),
    ]
    left = [job for job in queued if job.job_id not in claimed]
    after = Snapshot(queued=left, held=also_held, hosts=snapshot.hosts, lease_ends={job.key: 10.0 for job in also_held})
    assert reconcile(after, 0.0).claims == ()
