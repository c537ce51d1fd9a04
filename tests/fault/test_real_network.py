"""A host behind a network interface of its own, which is taken down (F30): what a proxy only plays.

Packets are dropped by the kernel, so that TCP itself tries again and again, as behind a cable that was pulled. It needs
root and the program `ip`.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.link import linked
from tests.fault.tethered import running
from tests.fault.workload import submit_until_acked

LASTING = ToySpec(num_steps=150, step_seconds=0.02)


@dataclass(frozen=True, slots=True)
class Cable:
    """A network of two: this machine, and a namespace with one process in it."""

    namespace: str
    near_interface: str
    near_address: str

    def inside(self, *command: str) -> list[str]:
        return ["/usr/bin/env", "ip", "netns", "exec", self.namespace, *command]

    def pull(self) -> None:
        run("ip", "link", "set", self.near_interface, "down")

    def plug(self) -> None:
        run("ip", "link", "set", self.near_interface, "up")


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def a_cable() -> Iterator[Cable]:
    """Of names and addresses that no other process of this test run takes."""
    number = os.getpid() % 16_000
    far, network = f"hwb{number}", f"10.99.{number // 64}.{number % 64 * 4}"
    base, last = network.rsplit(".", 1)
    cable = Cable(f"hw{number}", f"hwa{number}", f"{base}.{int(last) + 1}")
    run("ip", "netns", "add", cable.namespace)
    try:
        run("ip", "link", "add", cable.near_interface, "type", "veth", "peer", "name", far)
        run("ip", "link", "set", far, "netns", cable.namespace)
        run("ip", "addr", "add", f"{cable.near_address}/30", "dev", cable.near_interface)
        cable.plug()
        for setting in (
            ("addr", "add", f"{base}.{int(last) + 2}/30", "dev", far),
            ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
        ):
            run(*cable.inside("ip", *setting))
        yield cable
    finally:
        # Takes both ends of the pair with it.
        run("ip", "netns", "del", cable.namespace)


@asynccontextmanager
async def a_host_behind(cluster: FaultCluster, cable: Cable) -> AsyncIterator[Path]:
    """The first host of the cluster, in the namespace; its log."""
    [first, *_], [scheduler] = cluster.hosts, cluster.schedulers
    async with (
        linked(cluster.gateway.address, listen=cable.near_address) as to_gateway,
        linked(scheduler.address, listen=cable.near_address) as to_scheduler,
    ):
        addresses = {
            "HEADWAY_TRAINER_HOST__GATEWAY_ADDRESS": to_gateway.address,
            "HEADWAY_TRAINER_HOST__SCHEDULER_ADDRESS": to_scheduler.address,
        }
        told = [f"{name}={value}" for name, value in {**first.plan.environment, **addresses}.items()]
        with running(["/usr/bin/env", *told, *cable.inside(*first.plan.command)[1:]], first.log_path):
            await eventually(lambda: knows(cluster, first.name), timeout_seconds=60)
            yield first.home / "hosts" / first.name


async def knows(cluster: FaultCluster, host: str) -> bool:
    return f"hosts/{host}" in {one.name for one in (await cluster.client().system.hosts()).hosts}


@pytest.mark.long
async def test_a_pulled_cable_costs_an_attempt_and_no_more(tmp_path: Path) -> None:
    """F30, P13, P16."""
    with a_cable() as cable:
        async with fault_cluster(tmp_path, hosts=2, is_started=False) as cluster:
            first, second = cluster.hosts
            for proc in (cluster.nats, cluster.gateway, *cluster.schedulers):
                proc.start()
                await proc.ready()
            async with a_host_behind(cluster, cable) as home:
                job = await submit_until_acked(cluster, LASTING)
                await cluster.until(job, lambda one: one.progress.step > 10)
                second.start()
                await second.ready()
                cable.pull()
                moved = await cluster.until(job, lambda one: one.attempt == 2 and one.state == JOB_STATE_RUNNING)
                assert moved.host == f"hosts/{second.name}"
                done = await cluster.ended(job)
                assert (done.state, done.result.attempt) == (JOB_STATE_SUCCEEDED, 2)
                cable.plug()
                # It hears that its attempt is stale, and throws away what it had made.
                await eventually(lambda: "the scheduler is back" in first.log(), timeout_seconds=90)
                await eventually(lambda: not [*home.glob("work/*"), *home.glob("outbox/results/*")], timeout_seconds=60)
            cluster.history.forget_steps()
            await cluster.check(may_be_down=(first,))
