"""Pausing and resuming, end to end: from the command line, on real processes, down to the bits of the model."""

import asyncio
import json
import subprocess
from contextlib import aclosing
from pathlib import Path

import pytest

from headway.client import HeadwayClient
from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_SUCCEEDED,
    Job,
)

LIMIT_SECONDS = 90


def a_job(name: str, *, epochs: int = 12, batch_size: int = 4) -> JobSpec:
    """Long enough to be caught at work, and with the same weights each time."""
    return JobSpec(
        display_name=name,
        tabular_train=TabularTrainSpec(
            dataset="breast-cancer",
            target_column="target",
            epochs=epochs,
            batch_size=batch_size,
            hidden_dim=128,
            random_seed=7,
        ),
    )


@pytest.fixture
async def dataset(cluster: Cluster, data: Path) -> None:
    async with cluster.client() as client:
        await client.datasets.upload(data / "breast_cancer.csv", dataset_id="breast-cancer")


def pause(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return cluster.run("jobs", "pause", *arguments)


def resume(cluster: Cluster, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return cluster.run("jobs", "resume", *arguments)


async def until_it_trains(client: HeadwayClient, job: Job) -> None:
    async with asyncio.timeout(LIMIT_SECONDS), aclosing(client.jobs.watch(job.name)) as messages:
        async for message in messages:
            if message.progress.step > 0:
                return


async def until_over(client: HeadwayClient, job: Job) -> Job:
    async with asyncio.timeout(LIMIT_SECONDS):
        return await client.jobs.wait(job.name)


def weights_of(job: Job) -> str:
    return next(artifact.digest for artifact in job.result.bundle.artifacts if artifact.path.endswith(".safetensors"))


async def test_a_paused_and_resumed_job_ends_with_one_model_of_the_same_weights(
    cluster: Cluster, dataset: None
) -> None:
    """P14: an interrupted run ends as an uninterrupted one, and trains no step twice."""
    async with cluster.client() as client:
        job = await client.jobs.create(a_job("paused", epochs=120))
        await until_it_trains(client, job)

        paused = await asyncio.to_thread(pause, cluster, job.name, "--wait", "--message", "for the night")
        assert paused.returncode == 0, paused.stderr
        assert paused.stdout.strip() == job.name
        found = await client.jobs.get(job.name)
        step = found.checkpoint.step
        assert step > 0
        assert f"it goes on from step {step} when resumed" in " ".join(paused.stderr.split())
        assert (found.state, found.host) == (JOB_STATE_PAUSED, "")
        assert found.attempts[0].outcome == ATTEMPT_OUTCOME_PAUSED
        explained = await asyncio.to_thread(cluster.run, "jobs", "explain", job.name)
        assert "PAUSED: it waits to be resumed (for the night)" in " ".join(explained.stdout.split())

        resumed = await asyncio.to_thread(resume, cluster, job.name, "-o", "json")
        assert json.loads(resumed.stdout)[0]["desired"] == "DESIRED_STATE_RUN"
        done = await until_over(client, job)
        logs = await asyncio.to_thread(cluster.run, "jobs", "logs", job.name)
        assert f"Going on from step {step}, which attempt 1 had saved" in logs.stdout
        whole = await until_over(client, await client.jobs.create(a_job("whole", epochs=120)))

    assert (done.state, whole.state) == (JOB_STATE_SUCCEEDED, JOB_STATE_SUCCEEDED)
    assert [attempt.outcome for attempt in done.attempts] == [ATTEMPT_OUTCOME_PAUSED, ATTEMPT_OUTCOME_SUCCEEDED]
    assert weights_of(done) == weights_of(whole)
    assert [one.event for one in done.transitions].count("committed") == 1
    history = [one.event for one in done.transitions]
    assert history[:6] == ["submitted", "claimed", "pause_requested", "checkpointed", "paused", "resumed"]
    assert done.result.summary.num_steps == whole.result.summary.num_steps > step
    assert whole.HasField("checkpoint") is False, "a job that is over within the interval saves nothing"
    listed = await asyncio.to_thread(cluster.run, "models", "list", "-o", "json")
    model = done.result.model_version.partition("/versions/")[0]
    assert [one["name"] for one in json.loads(listed.stdout)].count(model) == 1


async def test_queued_jobs_are_paused_and_resumed_together_and_a_refusal_does_not_stop_the_others(
    cluster: Cluster, dataset: None
) -> None:
    async with cluster.client() as client:
        at_work = await client.jobs.create(a_job("in the way", epochs=500, batch_size=1))
        await until_it_trains(client, at_work)
        jobs = [await client.jobs.create(a_job(f"waiting-{number}", epochs=1)) for number in range(2)]
        gone = await client.jobs.cancel((await client.jobs.create(a_job("gone", epochs=1))).name)
        names = [job.name for job in (jobs[0], gone, jobs[1])]

        told = await asyncio.to_thread(pause, cluster, *names)
        assert told.returncode == 5, told.stderr
        assert "CANCELLED cannot be paused" in " ".join(told.stderr.split())
        assert told.stdout.split() == [jobs[0].name, jobs[1].name]
        for job in jobs:
            assert (await client.jobs.get(job.name)).state == JOB_STATE_PAUSED
        assert (await asyncio.to_thread(pause, cluster, jobs[0].name)).returncode == 0, "twice does no harm"

        assert (await asyncio.to_thread(resume, cluster, *(job.name for job in jobs))).returncode == 0
        await client.jobs.cancel(at_work.name)
        for job in jobs:
            assert (await until_over(client, job)).state == JOB_STATE_SUCCEEDED
        assert (await until_over(client, at_work)).state == JOB_STATE_CANCELLED


async def test_a_pause_survives_the_death_of_the_scheduler(cluster: Cluster, dataset: None) -> None:
    """P17: killed between the wish and the stop, it comes back and brings the job to where it is wanted."""
    async with cluster.client() as client:
        job = await client.jobs.create(a_job("interrupted", epochs=500, batch_size=1))
        await until_it_trains(client, job)
        pid = cluster.kill("scheduler")
        asked = await client.jobs.pause(job.name)
        assert asked.state == JOB_STATE_PAUSING
        await asyncio.to_thread(cluster.wait_for, "scheduler", other_than=pid)
        async with asyncio.timeout(LIMIT_SECONDS):
            paused = await client.jobs.wait(job.name, until=lambda told: told.state != JOB_STATE_PAUSING)

        assert paused.state == JOB_STATE_PAUSED
        assert [one.event for one in paused.transitions][-3:] == ["pause_requested", "checkpointed", "paused"]
        assert (await client.jobs.cancel(job.name)).state == JOB_STATE_CANCELLED, "nobody holds it: it is over at once"


async def test_a_job_resumed_while_it_is_pausing_goes_on_by_itself(cluster: Cluster, dataset: None) -> None:
    async with cluster.client() as client:
        job = await client.jobs.create(a_job("undecided", epochs=120))
        await until_it_trains(client, job)
        await client.jobs.pause(job.name)
        resumed = await client.jobs.resume(job.name)
        assert resumed.state in {JOB_STATE_PAUSING, JOB_STATE_QUEUED}
        assert (await until_over(client, job)).state == JOB_STATE_SUCCEEDED
