"""A second host joins a running control plane with one command, trains, dies, and its work falls back to local."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from headway.client.client import HeadwayClient
from headway.testing.cluster import Cluster
from headway.testing.eventually import eventually
from headway.v1.hosts_pb2 import HOST_STATE_UP
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL, JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, Job

HOST_ID = "second"


@asynccontextmanager
async def joined(cluster: Cluster, home: Path) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """`headway host join` in a process group of its own, from a home folder of its own."""
    token = (cluster.home / "keys" / "local.key").read_text().strip()
    command = [sys.executable, "-m", "headway.cli", "host", "join", cluster.address("gateway"), "--token", token]
    process = await asyncio.create_subprocess_exec(
        *command, "--id", HOST_ID, "--home", str(home), env=cluster.environ, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def until_hosts_are(client: HeadwayClient, expected: set[str]) -> None:
    async def are_up() -> bool:
        found = await client.system.hosts()
        return {host.name for host in found.hosts if host.torch_version and host.state == HOST_STATE_UP} == expected

    await eventually(are_up, timeout_seconds=30)


def a_spec() -> JobSpec:
    training = TabularTrainSpec(dataset="iris", target_column="target", epochs=5)
    return JobSpec(execution_mode=EXECUTION_MODE_HOST, tabular_train=training)


async def trained(client: HeadwayClient) -> Job:
    async with asyncio.timeout(60):
        done = await client.jobs.wait((await client.jobs.create(a_spec())).name)
    assert done.state == JOB_STATE_SUCCEEDED, done.failure
    return done


async def test_a_joined_host_trains_and_the_same_job_falls_back_when_it_dies(
    cluster: Cluster, data: Path, tmp_path: Path
) -> None:
    async with cluster.client() as client, joined(cluster, tmp_path / "second") as process:
        await client.datasets.upload(data / "iris.csv", dataset_id="iris")
        await until_hosts_are(client, {"hosts/local", f"hosts/{HOST_ID}"})

        # The host that joined takes what asks for a host.
        done = await trained(client)
        assert (done.mode, done.fallback_reason) == (EXECUTION_MODE_HOST, "")
        assert done.attempts[-1].host == f"hosts/{HOST_ID}"

        # Killed with all its processes, it is lost within its lease.
        os.killpg(process.pid, signal.SIGKILL)
        await until_hosts_are(client, {"hosts/local"})

        # The same job then runs locally and says why.
        fallen = await trained(client)
        assert fallen.mode == EXECUTION_MODE_LOCAL
        assert "no remote trainer host" in fallen.fallback_reason

        # Same spec, same seed, same weights: local and host mode are the same program.
        assert weights_of(fallen) == weights_of(done)


def weights_of(job: Job) -> str:
    return next(entry.digest for entry in job.result.bundle.artifacts if entry.path == "model.safetensors")


async def test_a_joined_host_leaves_nothing_behind_when_it_is_told_to_stop(cluster: Cluster, tmp_path: Path) -> None:
    """P33."""
    async with cluster.client() as client, joined(cluster, tmp_path / "second") as process:
        await until_hosts_are(client, {"hosts/local", f"hosts/{HOST_ID}"})
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(12):
            await process.wait()
        # Nor in the list of hosts, where whoever asks next would still find it.
        await until_hosts_are(client, {"hosts/local"})
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("service", ["gateway", "scheduler"])
async def test_a_killed_service_comes_back_and_the_job_still_ends_with_one_model(
    cluster: Cluster, data: Path, service: str
) -> None:
    """P1, P7, P17: the supervisor restarts what dies; the job neither notices nor repeats."""
    spec = JobSpec(
        tabular_train=TabularTrainSpec(
            dataset="breast-cancer", target_column="target", epochs=150, batch_size=16, model_id=f"survivor-{service}"
        )
    )
    async with cluster.client() as client:
        await client.datasets.upload(data / "breast_cancer.csv", dataset_id="breast-cancer")
        job = await client.jobs.create(spec)
        killed = cluster.kill(service)
        await asyncio.to_thread(cluster.wait_for, service, other_than=killed)
        async with asyncio.timeout(60):
            done = await client.jobs.wait(job.name)
        model = await client.models.get(f"survivor-{service}")
    assert done.state == JOB_STATE_SUCCEEDED, done.failure
    assert done.attempt == 1
    assert [version.job for version in model.versions] == [job.name]
