"""A job's whole way through the services, on real data, as a user and as a plain NATS subscriber see it."""

import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

import nats
import numpy as np
import pytest
from nats.aio.msg import Msg
from safetensors.numpy import load_file

from headway.client import RowsToAnswer
from headway.contract.digests import sha256_of
from headway.runtime.remote_error import RemoteError
from headway.testing.cluster import Cluster
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED

LIFECYCLE = ["queued", "started", "evaluated", "completed"]


def a_spec(dataset: str, **fields: str | float) -> JobSpec:
    training = TabularTrainSpec(dataset=dataset, target_column="target", epochs=20)
    for name, value in fields.items():
        setattr(training, name, value)
    return JobSpec(display_name=dataset, tabular_train=training)


async def test_a_job_ends_as_a_registered_model(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    async with cluster.client() as client:
        await client.datasets.upload(data / "breast_cancer.csv", dataset_id="breast-cancer")
        job = await client.jobs.create(a_spec("breast-cancer", model_id="cancer"))
        done = await client.jobs.wait(job.name)

        assert done.state == JOB_STATE_SUCCEEDED, done.failure
        assert done.mode == EXECUTION_MODE_LOCAL
        assert done.result.summary.headline_metric == "accuracy"
        assert done.result.summary.headline_value > 0.9

        version = await client.models.pull("cancer", tmp_path / "model")
        assert version.job == job.name
        assert version.number == 1
        for artifact in version.bundle.artifacts:
            content = (tmp_path / "model" / artifact.path).read_bytes()
            assert sha256_of(content) == artifact.digest
        weights = load_file(tmp_path / "model" / "model.safetensors")
        assert all(np.isfinite(tensor).all() for tensor in weights.values())
        assert not list((tmp_path / "model").glob("*.p*kl*"))

        lines = [line.message async for line in client.jobs.logs(job.name)]
        assert any(line.startswith("Step 1: ") for line in lines), lines
        found = [found.name async for found in client.jobs.list(filter_text='display_name = "breast-cancer"')]
        assert job.name in found


async def test_the_pulled_bundle_predicts(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    async with cluster.client() as client:
        await client.datasets.upload(data / "iris.csv", dataset_id="iris")
        done = await client.jobs.wait((await client.jobs.create(a_spec("iris", model_id="flowers", epochs=60))).name)
        await client.models.pull("flowers", tmp_path / "flowers")
    assert done.state == JOB_STATE_SUCCEEDED

    command = [sys.executable, "-m", "trainer_host.recipes.tabular_train.predict", str(tmp_path / "flowers")]
    process = await asyncio.create_subprocess_exec(*command, str(data / "iris.csv"), stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    predicted = [str(row["prediction"]) for row in json.loads(printed)]
    truth = [line.rpartition(",")[2] for line in (data / "iris.csv").read_text().splitlines()[1:]]
    assert np.mean(np.array(predicted) == np.array(truth)) > 0.9


async def test_a_regression_with_the_linear_model_reports_its_error_in_the_original_unit(
    cluster: Cluster, data: Path
) -> None:
    async with cluster.client() as client:
        await client.datasets.upload(data / "diabetes.csv", dataset_id="diabetes")
        job = await client.jobs.create(a_spec("diabetes", training_mode="linear_glm_baseline", epochs=100))
        done = await client.jobs.wait(job.name)
    assert done.state == JOB_STATE_SUCCEEDED
    assert done.result.summary.headline_metric == "rmse"
    assert 40 < done.result.summary.headline_value < 75, "the target's standard deviation is 77"


async def test_a_plain_subscriber_sees_the_life_of_a_job_in_order_as_cloud_events(cluster: Cluster, data: Path) -> None:
    """P25, from outside: nothing but nats-py."""
    received: list[dict[str, object]] = []

    async def receive(message: Msg) -> None:
        assert message.headers is not None
        assert message.headers["Content-Type"] == "application/cloudevents+json"
        received.append(json.loads(message.data))

    connection = await nats.connect(cluster.nats_url)
    try:
        await connection.subscribe("trainer.train.*.v1.default.*", cb=receive)
        await connection.flush()
        async with cluster.client() as client:
            await client.datasets.upload(data / "iris.csv", dataset_id="iris")
            job = await client.jobs.create(a_spec("iris"))
            await client.jobs.wait(job.name)
        end = {"subject": job.name, "type": "trainer.train.completed.v1"}
        await eventually(lambda: any(end.items() <= event.items() for event in received))
    finally:
        await connection.close()

    mine = [event for event in received if event["subject"] == job.name]
    words = [str(event["type"]).split(".")[2] for event in mine]
    assert [word for word in words if word != "progress"] == LIFECYCLE
    assert words.index("started") < words.index("progress") < words.index("completed")
    assert {event["specversion"] for event in mine} == {"1.0"}
    ids = [event["id"] for event in mine if "progress" not in str(event["type"])]
    assert ids == [f"{job.name.rpartition('/')[2]}:{number}" for number in (1, 2, 3, 4)]


async def test_a_watch_tells_each_transition_once_and_in_order(cluster: Cluster, data: Path) -> None:
    """P24."""
    async with cluster.client() as client:
        await client.datasets.upload(data / "iris.csv", dataset_id="iris")
        job = await client.jobs.create(a_spec("iris"))
        numbers: list[int] = []
        async with aclosing(client.jobs.watch(job.name)) as messages, asyncio.timeout(60):
            async for message in messages:
                if message.WhichOneof("update") == "snapshot":
                    numbers = [transition.number for transition in message.snapshot.transitions]
                elif message.WhichOneof("update") == "change":
                    numbers.append(message.change.transition.number)
    assert numbers == [1, 2, 3, 4]


async def test_a_bad_spec_is_refused_at_once_and_a_good_one_right_after_still_works(
    cluster: Cluster, data: Path
) -> None:
    """P32."""
    async with cluster.client() as client:
        await client.datasets.upload(data / "iris.csv", dataset_id="iris")
        with pytest.raises(RemoteError) as refused:
            await client.jobs.create(a_spec("iris", epochs=0))
        assert refused.value.reason == "OUT_OF_RANGE"
        assert refused.value.violations[0].field == "job.spec.tabular_train.epochs"
        assert refused.value.violations[0].allowed == "1 to 500"
        would = await client.jobs.validate(a_spec("iris"))
        assert would.admission.num_parameters > 0
        assert (await client.jobs.create(a_spec("iris"))).name


async def test_a_model_answers_rows_while_the_only_slot_trains(cluster: Cluster, data: Path, tmp_path: Path) -> None:
    """By version and by run, over gRPC and on the command line; and nobody sees a job of it."""
    table = data / "iris.csv"
    text = table.read_text(encoding="utf-8")
    truth = [line.rpartition(",")[2] for line in text.splitlines()[1:]]
    async with cluster.client() as client:
        await client.datasets.upload(table, dataset_id="rows")
        trained = await client.jobs.wait((await client.jobs.create(a_spec("rows", epochs=60, model_id="asked"))).name)
        unsaved = a_spec("rows", epochs=60)
        unsaved.tabular_train.save_model = False
        run = await client.jobs.wait((await client.jobs.create(unsaved)).name)
        assert [trained.state, run.state] == [JOB_STATE_SUCCEEDED] * 2
        assert not run.result.model_version
        busy = await client.jobs.create(a_spec("rows", epochs=500, batch_size=1))

        async def is_training() -> bool:
            return (await client.jobs.get(busy.name)).state == JOB_STATE_RUNNING

        await eventually(is_training, timeout_seconds=30)
        responses = [
            await client.models.predict(name, RowsToAnswer.of_csv(text)) for name in (run.name, "asked", "asked@1")
        ]
        for response in responses:
            labels = [one.label for one in response.predictions]
            assert np.mean(np.array(labels) == np.array(truth)) > 0.9
        assert await is_training(), "it went on meanwhile"

        flower: dict[str, str | float | bool | None] = {"sepal length (cm)": 5.1, "more": "x", "petal width (cm)": 99}
        with pytest.raises(RemoteError, match="petal length") as refused:
            await client.models.predict("asked", RowsToAnswer.of_json([flower]))
        assert (refused.value.reason, refused.value.violations[0].reason) == ("ROWS", "MISSING_COLUMN")
        imputed = await client.models.predict("asked", RowsToAnswer.of_json([flower]), impute_missing_columns=True)
        assert (imputed.num_rows, list(imputed.drift.unknown_columns)) == (1, ["more"])
        assert [one.column for one in imputed.drift.out_of_range] == ["petal width (cm)"]

        answers = tmp_path / "answers.csv"
        arguments = ("models", "predict", "asked", "--csv", str(table), "--to", str(answers))
        done = await asyncio.to_thread(cluster.run, *arguments)
        assert (done.returncode, done.stdout.strip()) == (0, str(answers)), done.stderr
        written = [line.partition(",")[0] for line in answers.read_text(encoding="utf-8").splitlines()]
        assert written == ["prediction", *(one.label for one in responses[-1].predictions)]

        await client.jobs.cancel(busy.name)
        listed = {job.name async for job in client.jobs.list()}
        internal = [job async for job in client.jobs.list(filter_text="kind = infer")]
        assert len(internal) == 6
        assert not listed & {job.name for job in internal}
        log = [line.message async for line in client.jobs.logs(responses[0].job)]
        assert "Step 3: Answering" in log
