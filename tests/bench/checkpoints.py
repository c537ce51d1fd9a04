"""What checkpoints cost: a job of some minutes through all services, at the default cadence and without any."""

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.duration_pb2 import Duration

from headway.client.client import HeadwayClient
from headway.contract.times import moment
from headway.testing.cluster import Cluster
from headway.v1.job_specs_pb2 import JobSpec, Policies, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.bench.data import write_digits
from tests.bench.load import median
from tests.bench.report import Row

_JOB_SECONDS = 150.0
_PAIRS = 2
_TRIAL_EPOCHS, _EPOCHS_MAX = 20, 500
_HIDDEN, _NUM_LAYERS = 500, 8
"""A model of two million parameters, so that training takes minutes and a checkpoint has some 20 MB."""
_NEVER_SECONDS = 3600
"""A cadence that no job of some minutes ever sees."""
_BAR = 0.03


@dataclass(frozen=True, slots=True)
class _Took:
    """One job.

    Attributes:
        seconds: from the claim to the result.
        num_checkpoints: that the gateway took meanwhile.
    """

    seconds: float
    num_checkpoints: int


async def measure() -> list[Row]:
    """By turns with and without, on one cluster; the median of the ratio pair by pair."""
    with TemporaryDirectory() as scratch, Cluster(Path(scratch) / "cluster") as cluster:
        async with cluster.client() as client:
            await client.datasets.upload(write_digits(Path(scratch)), dataset_id="digits")
            await _run(client, 2, saves=False)
            trial = await _run(client, _TRIAL_EPOCHS, saves=False)
            epochs = min(_EPOCHS_MAX, math.ceil(_TRIAL_EPOCHS * _JOB_SECONDS / trial.seconds))
            pairs = [
                (await _run(client, epochs, saves=True), await _run(client, epochs, saves=False)) for _ in range(_PAIRS)
            ]
    cost = median([saving.seconds / bare.seconds - 1 for saving, bare in pairs])
    return [
        Row(
            f"tabular_train, {epochs} epochs of digits, checkpoints at the default cadence",
            f"{median([saving.seconds for saving, _ in pairs]):.1f} s with {pairs[0][0].num_checkpoints} checkpoints",
            f"the same job without: {median([bare.seconds for _, bare in pairs]):.1f} s",
            f"{cost:+.1%}",
            f"at most {_BAR:.0%}",
            cost <= _BAR,
        )
    ]


async def _pair(client: HeadwayClient, epochs: int) -> tuple[_Took, _Took]:
    return await _run(client, epochs, saves=True), await _run(client, epochs, saves=False)


async def _run(client: HeadwayClient, epochs: int, *, saves: bool) -> _Took:
    policies = Policies() if saves else Policies(checkpoint_interval=Duration(seconds=_NEVER_SECONDS))
    table = TabularTrainSpec(
        dataset="digits", target_column="target", epochs=epochs, hidden_dim=_HIDDEN, num_hidden_layers=_NUM_LAYERS
    )
    created = await client.jobs.create(JobSpec(tabular_train=table, policies=policies))
    job = await client.jobs.wait(created.name)
    if job.state != JOB_STATE_SUCCEEDED or len(job.attempts) != 1:
        raise RuntimeError(f"{job.name} has not succeeded at its first attempt: {job.failure.message}")
    attempt = job.attempts[0]
    seconds = (moment(attempt.end_time) - moment(attempt.start_time)).total_seconds()
    return _Took(seconds, sum(one.event == "checkpointed" for one in job.transitions))
