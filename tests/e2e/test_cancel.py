"""Cancelling, end to end."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED


def a_long_job() -> JobSpec:
    return JobSpec(
        tabular_train=TabularTrainSpec(
            dataset="breast-cancer", target_column="target", epochs=500, batch_size=1, hidden_dim=500
        )
    )


async def test_a_running_job_is_cancelled_within_seconds_and_the_next_one_runs(cluster: Cluster, data: Path) -> None:
    """P21."""
    async with cluster.client() as client:
        await client.datasets.upload(data / "breast_cancer.csv", dataset_id="breast-cancer")
        job = await client.jobs.create(a_long_job())

        async with aclosing(client.jobs.watch(job.name)) as messages, asyncio.timeout(30):
            async for message in messages:
                if message.progress.step > 0:
                    break
        await client.jobs.cancel(job.name, message="enough")
        async with asyncio.timeout(10):
            done = await client.jobs.wait(job.name)
        assert done.state == JOB_STATE_CANCELLED
        assert not done.result.model_version
        assert (await client.jobs.cancel(job.name)).state == JOB_STATE_CANCELLED, "cancelling is idempotent"

        quick = JobSpec(tabular_train=TabularTrainSpec(dataset="breast-cancer", target_column="target", epochs=1))
        next_job = await client.jobs.create(quick)
        async with asyncio.timeout(30):
            await client.jobs.wait(next_job.name)
