"""Resident memory of each service after a job, with nothing to do."""

from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from headway.runtime.clock import SystemClock
from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.bench.data import write_iris
from tests.bench.processes import resident_mib
from tests.bench.report import Row

_BAR_MIB = 120.0
_BARRED = frozenset({"gateway", "scheduler"})
_REST_SECONDS = 3.0


async def measure() -> list[Row]:
    """Start everything, run one job so that all code is loaded, rest, and look."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with Cluster(folder / "cluster") as cluster:
            async with cluster.client() as client:
                await client.datasets.upload(write_iris(folder), dataset_id="iris")
                spec = JobSpec(tabular_train=TabularTrainSpec(dataset="iris", target_column="target", epochs=5))
                await client.jobs.wait((await client.jobs.create(spec)).name)
            await SystemClock().sleep(_REST_SECONDS)
            return [_row(name, cluster.pid(name)) for name in ("gateway", "scheduler", "trainer_host", "notifier")]


def _row(name: str, pid: int) -> Row:
    memory = resident_mib(pid)
    children = sum(resident_mib(child.pid) for child in psutil.Process(pid).children(recursive=True))
    beside = f"its warm child and fork server, shared pages counted twice: {children:.0f} MiB" if children else ""
    is_barred = name in _BARRED
    return Row(
        f"Resident memory of {name}, idle",
        f"{memory:.0f} MiB",
        beside,
        "",
        f"under {_BAR_MIB:g} MiB" if is_barred else "",
        memory < _BAR_MIB if is_barred else None,
    )
