"""Every type of fault, under a small workload: injected, taken back, and nothing is lost and nothing is twice."""

from pathlib import Path

import pytest

from headway.runtime.clock import SystemClock
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from tests.fault import figures
from tests.fault.cluster import fault_cluster
from tests.fault.faults import FAULTS, Fault
from tests.fault.workload import Submitters, jittered, submit_many

LASTING = ToySpec(num_steps=100, step_seconds=0.01)
NUM_LASTING = 3
BY_ID = {f"{'-'.join(fault.rows)}-{fault.name}": fault for fault in FAULTS}
IN_EVERY_RUN = {"machine-killed"}
"""The others take too long for `make test`."""
IN_LONG_RUNS = {"scheduler-terminated", "nats-terminated", "agent-terminated"}
"""Gentler than what `make test-fault` does."""


def marks_of(fault: Fault) -> tuple[pytest.MarkDecorator, ...]:
    if fault.name in IN_EVERY_RUN:
        return ()
    return (pytest.mark.long if fault.name in IN_LONG_RUNS else pytest.mark.slow,)


async def survive(folder: Path, fault: Fault) -> None:
    async with fault_cluster(folder, hosts=2, slots=2, links=fault.needs_links) as cluster:
        jobs = await submit_many(cluster, NUM_LASTING, LASTING)
        for job in jobs:
            cluster.watch(job)
            await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
        async with Submitters(cluster, num_clients=2, pause_seconds=jittered(0.4)) as submitters:
            await fault.inject(cluster)
            await SystemClock().sleep(fault.num_leases * cluster.lease_seconds)
            await fault.heal(cluster)
        for job in [*jobs, *submitters.jobs]:
            assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
        await cluster.check()
        if not fault.loses_attempts:
            assert [(await cluster.get(job)).attempt for job in jobs] == [1] * NUM_LASTING
        figures.record(row=fault.rows[0], name="jobs", acked=len(jobs) + len(submitters.jobs), lost=0, kills=1)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=marks_of(fault)) for name, fault in BY_ID.items()],
)
async def test_nothing_is_lost_and_nothing_is_twice(tmp_path: Path, name: str) -> None:
    """P1, P7, P13, P14, P17, P18, P24, with each fault of the table."""
    fault = BY_ID[name]
    missing = fault.is_available()
    assert missing is None, missing
    await survive(tmp_path, fault)
