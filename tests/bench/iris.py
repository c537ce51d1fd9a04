"""From CreateJob to a registered model, and to the recipe's first line, on a warm and idle local host."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from headway.client.client import HeadwayClient
from headway.contract.times import moment
from headway.runtime.clock import SystemClock
from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.bench.data import write_iris
from tests.bench.load import median
from tests.bench.report import Row

EPOCHS = 50
_RUNS = 25
_COLD_RUNS = 3
_FIRST_LINE_BAR_MS = 30.0
_MODEL_BAR_SECONDS = 0.5
_PAUSE_SECONDS = 0.5
"""Between two jobs: the host makes its next warm child, so that every job finds one."""


async def measure() -> list[Row]:
    """Jobs one after the other, each with a pause before it so that it meets a warm host."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with Cluster(folder / "cluster") as cluster:
            async with cluster.client() as client:
                await client.datasets.upload(write_iris(folder), dataset_id="iris")
                await _run_job(client)
                jobs = [await _run_job(client) for _ in range(_RUNS)]
                cold = [await _cold_job(cluster, client) for _ in range(_COLD_RUNS)]
        bare = await _bare(folder / "iris.csv")
    first_line = median([line for line, _ in jobs]) * 1000
    model = median([whole for _, whole in jobs])
    return [
        Row(
            "CreateJob to the recipe's first line, warm, p50",
            f"{first_line:.1f} ms",
            f"cold, host process just killed and started anew: {median([line for line, _ in cold]) * 1000:.0f} ms",
            "",
            f"under {_FIRST_LINE_BAR_MS:g} ms",
            first_line < _FIRST_LINE_BAR_MS,
        ),
        Row(
            f"CreateJob to registered model, iris, {EPOCHS} epochs, warm, p50",
            f"{model:.3f} s",
            f"same loop called bare in one warm process: {bare:.3f} s",
            f"{model / bare:.2f}",
            f"under {_MODEL_BAR_SECONDS:g} s",
            model < _MODEL_BAR_SECONDS,
        ),
    ]


async def _run_job(client: HeadwayClient, settle: Callable[[], Awaitable[None]] | None = None) -> tuple[float, float]:
    """One job, after `settle` or a pause; seconds to its first log line of the recipe and to its registered model."""
    await (settle() if settle else SystemClock().sleep(_PAUSE_SECONDS))
    spec = JobSpec(tabular_train=TabularTrainSpec(dataset="iris", target_column="target", epochs=EPOCHS))
    begin, start = time.time(), time.perf_counter()
    job = await client.jobs.create(spec)
    done = await client.jobs.wait(job.name)
    whole = time.perf_counter() - start
    if done.state != JOB_STATE_SUCCEEDED:
        raise RuntimeError(f"the job failed: {done.failure}")
    lines = [line async for line in client.jobs.logs(job.name)]
    first = next(line for line in lines if line.message.startswith("Step 1"))
    return moment(first.log_time).timestamp() - begin, whole


async def _cold_job(cluster: Cluster, client: HeadwayClient) -> tuple[float, float]:
    """Kill the host and submit at once: the supervisor starts a new one, which has torch still to load."""

    async def kill() -> None:
        cluster.kill("trainer_host")

    return await _run_job(client, kill)


async def _bare(table: Path) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.bare_loop", str(table), str(EPOCHS), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    return float(json.loads(printed)["whole_seconds"])
