"""What a plan must never do, whatever there is. Whole histories are in tests/sim."""

from hypothesis import given
from hypothesis import strategies as st

from headway.contract.modes import Wish
from headway.testing.builders import a_host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO, EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from scheduler.placement import rooms_of
from scheduler.reconcile import reconcile
from scheduler.snapshot import Demand, HeldJob, HostView, QueuedJob, Snapshot
from tests.unit.scheduler.views import a_held, a_queued, a_view

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
