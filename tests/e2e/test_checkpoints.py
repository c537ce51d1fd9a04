"""Checkpoints, end to end: real processes, killed and started again, down to the bits of the model."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from headway.client import HeadwayClient
from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_SUCCEEDED,
    Job,
)

LIMIT_SECONDS = 120


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With short leases, and a checkpoint every 300 steps."""
    settings = {
        "HEADWAY_SCHEDULER__LEASE_SECONDS": "6",
        "HEADWAY_TRAINER_HOST__CHECKPOINT_INTERVAL_STEPS": "300",
    }
    with Cluster(tmp_path_factory.mktemp("cluster"), settings) as running:
        yield running


@pytest.fixture
async def dataset(cluster: Cluster, data: Path) -> None:
    async with cluster.client() as client:
        await client.datasets.upload(data / "breast_cancer.csv", dataset_id="breast-cancer")


def a_job(name: str, *, epochs: int) -> JobSpec:
    training = TabularTrainSpec(
        dataset="breast-cancer", target_column="target", epochs=epochs, batch_size=4, hidden_dim=128, random_seed=7
    )
    return JobSpec(display_name=name, tabular_train=training)


async def until_saved(client: HeadwayClient, job: Job, *, times: int = 1) -> Job:
    """Wait for checkpoints; the job as it then was."""
    async with asyncio.timeout(LIMIT_SECONDS), aclosing(client.jobs.watch(job.name)) as messages:
        async for _ in messages:
            found = await client.jobs.get(job.name)
            if [one.event for one in found.transitions].count("checkpointed") >= times:
                return found
    raise AssertionError("the job ended without a checkpoint")


async def until_over(client: HeadwayClient, job: Job) -> Job:
    async with asyncio.timeout(LIMIT_SECONDS):
        return await client.jobs.wait(job.name)


def weights_of(job: Job) -> str:
    return next(artifact.digest for artifact in job.result.bundle.artifacts if artifact.path.endswith(".safetensors"))


@pytest.mark.slow
async def test_a_killed_host_goes_on_from_its_checkpoint_when_it_is_back(cluster: Cluster, dataset: None) -> None:
    """P13, P14, F17: kill -9 of the agent in the middle of training; at most an interval of 300 steps is done again."""
    async with cluster.client() as client:
        job = await client.jobs.create(a_job("killed", epochs=100))
        saved = await until_saved(client, job, times=2)
        pid = cluster.kill("trainer_host")
        await asyncio.to_thread(cluster.wait_for, "trainer_host", other_than=pid)
        done = await until_over(client, job)
        whole = await until_over(client, await client.jobs.create(a_job("whole", epochs=100)))
        logs = await asyncio.to_thread(cluster.run, "jobs", "logs", job.name)

    assert (done.state, whole.state) == (JOB_STATE_SUCCEEDED, JOB_STATE_SUCCEEDED)
    assert [attempt.outcome for attempt in done.attempts] == [ATTEMPT_OUTCOME_LOST, ATTEMPT_OUTCOME_SUCCEEDED]
    assert weights_of(done) == weights_of(whole)
    [step] = re.findall(r"Going on from step (\d+)", logs.stdout)
    assert int(step) % 300 == 0
    assert int(step) >= saved.checkpoint.step >= 600
    assert [one.event for one in done.transitions].count("committed") == 1


async def test_a_cancelled_job_keeps_what_was_trained_and_says_at_which_step(cluster: Cluster, dataset: None) -> None:
    """P21: its last checkpoint is the one at which it stopped, and it never ends with a result."""
    async with cluster.client() as client:
        job = await client.jobs.create(a_job("cancelled", epochs=500))
        saved = await until_saved(client, job)
        await client.jobs.cancel(job.name)
        done = await until_over(client, job)

    assert done.state == JOB_STATE_CANCELLED
    assert done.checkpoint.step > saved.checkpoint.step
    assert done.checkpoint.step == done.cancelled_at_step, "saved where it stopped, not where the cadence had it"
    assert not done.HasField("result")
    told = [one.event for one in done.transitions]
    # The one of the cadence may be on its way when the wish comes; nothing but checkpoints is taken any more.
    *saves, end = told[told.index("cancel_requested") + 1 :]
    assert saves in (["checkpointed"], ["checkpointed", "checkpointed"])
    assert end == "cancelled"
