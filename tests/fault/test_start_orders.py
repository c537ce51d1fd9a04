"""Processes start in any order and find each other (F48, F54)."""

import asyncio
import random
from itertools import permutations
from pathlib import Path

import pytest

from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.process import Proc
from tests.fault.workload import submit_until_acked

NAMES = ("nats-server", "gateway", "scheduler1", "h1")
EVERY_ORDER = list(permutations(NAMES))
SOME_ORDERS = random.Random(4).sample(EVERY_ORDER, 3)
APART_SECONDS = 0.4


def by_name(cluster: FaultCluster, name: str) -> Proc:
    return next(proc for proc in cluster.procs if proc.name == name)


async def start_in(folder: Path, order: tuple[str, ...]) -> None:
    async with fault_cluster(folder, is_started=False) as cluster:
        for name in order:
            by_name(cluster, name).start()
            await asyncio.sleep(APART_SECONDS)
        begin = asyncio.get_running_loop().time()
        # What gave up waiting is started again, as a supervisor would.
        await cluster.revive()
        figures.record(row="F54", name="converges", seconds=asyncio.get_running_loop().time() - begin)
        assert (await cluster.ended(await submit_until_acked(cluster))).state == JOB_STATE_SUCCEEDED
        await cluster.check()


@pytest.mark.slow
@pytest.mark.parametrize("order", SOME_ORDERS, ids="-".join)
async def test_some_orders_of_start(tmp_path: Path, order: tuple[str, ...]) -> None:
    """F48, F54: drawn once; all of them are in the long suite."""
    await start_in(tmp_path, order)


@pytest.mark.long
@pytest.mark.parametrize("order", EVERY_ORDER, ids="-".join)
async def test_every_order_of_start(tmp_path: Path, order: tuple[str, ...]) -> None:
    """F48, F54."""
    await start_in(tmp_path, order)
