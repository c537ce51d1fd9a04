"""The table of fault types: what can be done to a cluster and taken back, for one test each and for chaos.

A row that needs more than that is a test of its own.
"""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from headway.runtime.tether import tethered
from tests.fault.cluster import FaultCluster
from tests.fault.link_acts import cut_host, deafen_host, heal_links, mute_host, refuse_all, reset_links, slow_down
from tests.fault.process import Proc

Act = Callable[[FaultCluster], Awaitable[None]]
_NUM_BURNERS = 4


def always() -> str | None:
    """Nothing is needed for it."""
    return None


async def revive(cluster: FaultCluster) -> None:
    """Start what has ended and let go on what is frozen."""
    await cluster.revive()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One type of fault.

    Attributes:
        name: of the test's id and of the log of a chaos run.
        rows: of the fault matrix.
        inject: do it; victims are chosen by `cluster.random`.
        heal: take it back, and wait until everything serves.
        is_available: why it cannot be done on this machine; None where it can.
        num_leases: how long the table's test lets it last.
        needs_links: whether the cluster must have links.
        loses_attempts: whether a job may be given to another host for it, or must not be (P17).
    """

    name: str
    rows: tuple[str, ...]
    inject: Act
    heal: Act = revive
    is_available: Callable[[], str | None] = always
    num_leases: float = 0.5
    needs_links: bool = False
    loses_attempts: bool = True


def killed(pick: Callable[[FaultCluster], Proc]) -> Act:
    """Kill -9 of a process alone."""

    async def inject(cluster: FaultCluster) -> None:
        pick(cluster).kill9()

    return inject


def frozen(pick: Callable[[FaultCluster], Proc]) -> Act:
    """SIGSTOP of a process and all that it started."""

    async def inject(cluster: FaultCluster) -> None:
        victim = pick(cluster)
        if victim.is_alive:
            victim.stop()

    return inject


def terminated(pick: Callable[[FaultCluster], Proc]) -> Act:
    """SIGTERM, and its end in order."""

    async def inject(cluster: FaultCluster) -> None:
        await pick(cluster).terminate()

    return inject


def nats(cluster: FaultCluster) -> Proc:
    return cluster.nats


def gateway(cluster: FaultCluster) -> Proc:
    return cluster.gateway


def scheduler(cluster: FaultCluster) -> Proc:
    return cluster.random.choice(cluster.schedulers)


def host(cluster: FaultCluster) -> Proc:
    return cluster.random.choice(cluster.hosts)


def children_of(proc: Proc) -> list[psutil.Process]:
    """The children of a host that may train: what its fork server has forked."""
    return [child for child in proc.descendants() if child.ppid() != proc.pid]


async def kill_machine(cluster: FaultCluster) -> None:
    host(cluster).kill9_tree()


async def kill_children(cluster: FaultCluster) -> None:
    """Of every host, so that whoever trains is hit."""
    for one in cluster.hosts:
        for child in children_of(one):
            with suppress(psutil.NoSuchProcess):
                child.kill()


async def kill_hosts(cluster: FaultCluster) -> None:
    for one in cluster.hosts:
        one.kill9_tree()


async def kill_everything(cluster: FaultCluster) -> None:
    cluster.kill_everything()


async def freeze_everything(cluster: FaultCluster) -> None:
    """As a laptop that is closed."""
    for proc in cluster.procs:
        if proc.is_alive:
            proc.stop()


class Burners:
    """Busy loops, twice as many as a small machine has cores."""

    def __init__(self) -> None:
        self._processes: list[Process] = []

    async def light(self, cluster: FaultCluster) -> None:
        command = tethered([sys.executable, "-c", "while True: pass"])
        self._processes = [await asyncio.create_subprocess_exec(*command) for _ in range(_NUM_BURNERS)]

    async def quench(self, cluster: FaultCluster) -> None:
        for burner in self._processes:
            burner.kill()
            await burner.wait()
        await cluster.revive()


BURNERS = Burners()


FAULTS = (
    Fault(name="gateway-killed", rows=("F1", "F5"), inject=killed(gateway), loses_attempts=False),
    Fault(name="gateway-frozen", rows=("F4",), inject=frozen(gateway), num_leases=3, loses_attempts=False),
    Fault(name="gateway-terminated", rows=("F12",), inject=terminated(gateway), loses_attempts=False),
    Fault(name="scheduler-killed", rows=("F14",), inject=killed(scheduler), num_leases=1.5, loses_attempts=False),
    Fault(name="scheduler-frozen", rows=("F15",), inject=frozen(scheduler), num_leases=1.5, loses_attempts=False),
    Fault(name="scheduler-terminated", rows=("F14",), inject=terminated(scheduler), loses_attempts=False),
    Fault(name="nats-killed", rows=("F41",), inject=killed(nats), loses_attempts=False),
    Fault(name="nats-frozen", rows=("F42",), inject=frozen(nats), num_leases=2, loses_attempts=False),
    Fault(name="nats-terminated", rows=("F41",), inject=terminated(nats), loses_attempts=False),
    Fault(name="agent-killed", rows=("F19",), inject=killed(host)),
    Fault(name="machine-killed", rows=("F17",), inject=kill_machine, num_leases=1.5),
    Fault(name="agent-terminated", rows=("F22",), inject=terminated(host)),
    Fault(name="children-killed", rows=("F18",), inject=kill_children),
    Fault(name="host-frozen-shortly", rows=("F21",), inject=frozen(host), num_leases=0.5, loses_attempts=False),
    Fault(name="host-frozen", rows=("F20",), inject=frozen(host), num_leases=2),
    Fault(name="all-hosts-killed", rows=("F28",), inject=kill_hosts, num_leases=1.5),
    Fault(
        name="cpu-starved", rows=("F23",), inject=BURNERS.light, heal=BURNERS.quench, num_leases=2, loses_attempts=False
    ),
    Fault(name="everything-killed", rows=("F54",), inject=kill_everything, num_leases=0.1),
    Fault(name="everything-frozen", rows=("F4", "F15", "F20"), inject=freeze_everything, num_leases=3),
    Fault(name="links-reset", rows=("F35",), inject=reset_links, needs_links=True, loses_attempts=False),
    Fault(name="host-cut", rows=("F30",), inject=cut_host, heal=heal_links, needs_links=True, num_leases=2),
    Fault(name="host-mute", rows=("F32",), inject=mute_host, heal=heal_links, needs_links=True, num_leases=2),
    Fault(name="host-deaf", rows=("F31",), inject=deafen_host, heal=heal_links, needs_links=True, num_leases=2),
    Fault(name="links-refused", rows=("F35",), inject=refuse_all, heal=heal_links, needs_links=True),
    Fault(
        name="links-slow",
        rows=("F34",),
        inject=slow_down,
        heal=heal_links,
        needs_links=True,
        num_leases=2,
        loses_attempts=False,
    ),
)
