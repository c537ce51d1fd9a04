"""What a user may do by hand: `headway up`, a real job, and `kill -9` of everything, one by one and all at once."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from headway.contract.states import is_terminal
from headway.runtime.remote_error import RemoteError
from headway.testing.cluster import Cluster
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
)
from tests.fault import figures
from tests.real_tables import write_table

SETTINGS = {
    "HEADWAY_SCHEDULER__LEASE_SECONDS": "5",
    "HEADWAY_TRAINER_HOST__CHECKPOINT_INTERVAL_SECONDS": "1",
}
LIMIT_SECONDS = 120.0
VICTIMS = ("child", "trainer_host", "gateway", "scheduler", "nats-server")


def the_job(num_layers: int) -> JobSpec:
    training = TabularTrainSpec(
        dataset="breast-cancer",
        target_column="target",
        epochs=500,
        batch_size=4,
        num_hidden_layers=num_layers,
        random_seed=7,
    )
    return JobSpec(display_name="killed again and again", tabular_train=training)


class Scene:
    """A cluster and its one job."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.job = Job()

    async def submit(self, folder: Path, num_layers: int) -> None:
        async with self.cluster.client() as client:
            await client.datasets.upload(write_table("breast_cancer", folder), dataset_id="breast-cancer")
            self.job = await client.jobs.create(the_job(num_layers))

    async def until(self, check: Callable[[Job], bool], *, limit_seconds: float = LIMIT_SECONDS) -> None:
        """Wait for the job, over restarts of whatever is needed to read it."""

        async def look() -> bool:
            with suppress(RemoteError):
                async with self.cluster.client() as client:
                    self.job = await client.jobs.get(self.job.name)
                return check(self.job)
            return False

        await eventually(look, timeout_seconds=limit_seconds, interval_seconds=0.1)

    async def until_further(self) -> None:
        """Wait until the job trains, and has a checkpoint beyond the last that was seen."""
        step = self.job.checkpoint.step

        def is_further(job: Job) -> bool:
            assert not is_terminal(job.state), "the job is too short for all that has to happen to it"
            return job.state == JOB_STATE_RUNNING and job.checkpoint.step > step

        await self.until(is_further)

    async def kill(self, victim: str) -> None:
        """Kill -9, and wait until it is there again."""
        if victim == "child":
            for child in self._children():
                child.kill()
            return
        pid = self.cluster.pids()[victim]
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: self.cluster.pids().get(victim, pid) != pid, timeout_seconds=LIMIT_SECONDS)

    def _children(self) -> list[psutil.Process]:
        """What the host's fork server has forked: the one that trains, and one that waits for work."""
        host = self.cluster.pid("trainer_host")
        return [one for one in psutil.Process(host).children(recursive=True) if one.ppid() != host]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "num_layers",
    [
        pytest.param(2, marks=pytest.mark.slow, id="half-a-minute"),
        pytest.param(12, marks=pytest.mark.long, id="two-minutes"),
    ],
)
async def test_a_job_outlives_everything_and_ends_with_one_model(tmp_path: Path, num_layers: int) -> None:
    """P1, P7, P11, P13, P14, P17, F54: and its history shows each attempt and why."""
    with Cluster(tmp_path, SETTINGS) as cluster:
        scene = Scene(cluster)
        await scene.submit(tmp_path, num_layers)
        for victim in VICTIMS:
            await scene.until_further()
            await scene.kill(victim)
        await scene.until_further()
        cluster.kill_everything()
        cluster.start()
        await scene.until(lambda job: is_terminal(job.state), limit_seconds=600)
        async with cluster.client() as client:
            model = await client.models.get(scene.job.result.model_version.split("/")[3])
            await client.models.pull(scene.job.result.model_version, tmp_path / "model")
        shown = cluster.run("jobs", "get", scene.job.name)

    job = scene.job
    assert job.state == JOB_STATE_SUCCEEDED
    assert [version.job for version in model.versions] == [job.name]
    # The child's death, the host's, and that of all; gateway, scheduler and nats-server cost no attempt.
    assert [attempt.outcome for attempt in job.attempts] == [
        ATTEMPT_OUTCOME_FAILED,
        ATTEMPT_OUTCOME_LOST,
        ATTEMPT_OUTCOME_LOST,
        ATTEMPT_OUTCOME_SUCCEEDED,
    ]
    whys = [attempt.failure.reason for attempt in job.attempts[:-1]]
    assert all(whys), whys
    assert all(attempt.failure.message for attempt in job.attempts[:-1])
    assert shown.returncode == 0
    assert all(why in shown.stdout for why in whys), shown.stdout
    figures.record(row="F54", name="jobs", acked=1, lost=0, kills=len(VICTIMS) + 1, models_missing=0, models_double=0)
