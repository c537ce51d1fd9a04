"""What a plan of one pass must never be; counted here anew, not by the code that made it."""

from collections import Counter

from headway.contract.kinds import INFER
from headway.v1.jobs_pb2 import Job
from scheduler.cluster_view import ClusterView
from scheduler.plan import Plan

SECONDS_PER_POINT = 3600.0


def check_plan(plan: Plan, view: ClusterView, now: float) -> None:
    """Capacity is never exceeded, a job is touched once, and the first in the queue goes first."""
    actions = [*plan.endings, *plan.claims]
    assert len({action.job_id for action in actions}) == len(actions), "a plan touches a job once"
    if plan.claims:
        _check_capacity(plan, view)
        _check_priority(plan, view, now)


def _check_capacity(plan: Plan, view: ClusterView) -> None:
    hosts = {host.facts.name: host for host in view.snapshot().hosts}
    slots, memory, answering = Counter[str](), Counter[str](), Counter[str]()

    def hold(job_id: str, name: str) -> None:
        job = _job(view, job_id)
        lane = answering if job.kind == INFER else slots
        lane[name] += 1
        memory[name] += job.spec.resource_spec.memory_mib

    for held in view.snapshot().held:
        hold(held.job_id, held.host)
    for claim in plan.claims:
        name = claim.host.name
        hold(claim.job_id, name)
        host = hosts[name]
        assert answering[name] <= 1, "a plan never gives a host a second prediction beside one"
        assert host.connected, "an order reaches its host at once"
        assert not host.facts.draining, "a host that drains takes no new work"
        assert slots[name] <= host.facts.num_slots, "a plan never exceeds a host's slots"
        assert memory[name] <= host.facts.memory_mib, "a plan never exceeds a host's memory"


def _check_priority(plan: Plan, view: ClusterView, now: float) -> None:
    """Of two jobs that ask for the same, the one of higher priority goes first, then the older."""
    claimed = {claim.job_id for claim in plan.claims}
    ready = [job for job in (*view.jobs.queued_inference, *view.jobs.queued) if job.ready_at <= now]
    ranks = {job.job_id: _rank(_job(view, job.job_id)) for job in ready}
    for left in ready:
        for given in ready:
            is_overtaken = left.job_id not in claimed and given.job_id in claimed and left.demand == given.demand
            assert not is_overtaken or ranks[given.job_id] <= ranks[left.job_id], "nobody is overtaken in the queue"


def _rank(job: Job) -> float:
    return job.create_time.ToNanoseconds() / 1e9 - SECONDS_PER_POINT * job.priority


def _job(view: ClusterView, job_id: str) -> Job:
    live = view.jobs.find(job_id)
    assert live is not None, "a plan is about live jobs"
    return live.record.job
