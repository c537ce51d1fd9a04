"""Predict of a real gateway on a real nats-server, over gRPC; the scheduler and its host are played here."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from headway.contract.errors import Code
from headway.contract.ids import JobName, new_job_id
from headway.contract.kinds import INFER
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.contract.subjects import HOSTS
from headway.contract.times import timestamp
from headway.contract.transitions import commit_result, fail_attempt
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import answer
from headway.testing.builders import A_DIGEST, a_claimed_record, a_host, a_record, a_spec, an_infer_spec
from headway.testing.eventually import eventually
from headway.v1.hosts_pb2 import HOST_STATE_UP
from headway.v1.job_specs_pb2 import InferSpec, JobSpec
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_QUEUED,
    Artifact,
    Bundle,
    Failure,
    Job,
    JobResult,
    JobState,
    ResultSummary,
)
from headway.v1.jobs_service_pb2 import ListJobsRequest
from headway.v1.models_service_pb2 import PredictRequest
from headway.v1.models_service_pb2_grpc import ModelServiceStub
from headway.v1.records_pb2 import HostRecord, JobRecord
from tests.jobs_gateway import PARENT, Gateway, a_request, claimed, refused, running_gateway

CSV = "sepal,petal\n1,2\n"
FILES = (MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH, "preprocess.json")


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        yield gateway


async def add_answering_host(gateway: Gateway) -> None:
    host = a_host(kinds=(INFER,))
    host.state = HOST_STATE_UP
    await gateway.bus.records(HOSTS, HostRecord).put("anton", HostRecord(host=host))


async def add_run(gateway: Gateway) -> str:
    """The name of a run whose result was stored a moment ago, and whose model was not saved."""
    now = datetime.now(UTC)
    artifacts = [Artifact(path=path, digest=A_DIGEST, size_bytes=1) for path in FILES]
    summary = ResultSummary(duration=Duration(seconds=1))
    result = JobResult(bundle=Bundle(digest=A_DIGEST, artifacts=artifacts), summary=summary, attempt=1)
    record = a_claimed_record(a_record(a_spec(), now=now), now=now)
    stored = commit_result(record, host=record.job.host, result=result, now=now)
    stored.job.result.commit_time.CopyFrom(timestamp(now))
    await gateway.records.create(JobName.parse(record.job.name).job_id, stored)
    return stored.job.name


async def internal_jobs(gateway: Gateway, filter_text: str = "kind = infer") -> list[Job]:
    page = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT, filter=filter_text)))
    return list(page.jobs)


async def the_job(gateway: Gateway) -> Job:
    (job,) = await eventually(lambda: internal_jobs(gateway))
    return job


async def until_state(gateway: Gateway, state: "JobState.ValueType") -> None:
    async def is_there() -> bool:
        return (await the_job(gateway)).state == state

    await eventually(is_there, timeout_seconds=10)


async def test_what_cannot_be_answered_is_refused_at_once(gateway: Gateway) -> None:
    models = ModelServiceStub(gateway.channel)
    run = await add_run(gateway)
    unknown = f"{PARENT}/jobs/{new_job_id()}"

    no_host = await refused(models.Predict(PredictRequest(name=run, csv=CSV)))
    assert (no_host.code, no_host.reason) == (Code.UNAVAILABLE, "SERVICE_UNAVAILABLE")
    await add_answering_host(gateway)
    assert "Run not found or expired" in (await refused(models.Predict(PredictRequest(name=unknown, csv=CSV)))).message
    missing = await refused(models.Predict(PredictRequest(name=f"{PARENT}/models/no/versions/latest", csv=CSV)))
    assert missing.code is Code.NOT_FOUND
    assert (await refused(models.Predict(PredictRequest(name=run)))).reason == "FIELD_REQUIRED"
    assert (await refused(models.Predict(PredictRequest(name=run, dataset="none")))).reason == "UNKNOWN_DATASET"
    assert await internal_jobs(gateway) == []


async def test_nobody_submits_a_prediction_as_a_job(gateway: Gateway) -> None:
    for spec in (an_infer_spec(), JobSpec(infer=InferSpec(model="m"), display_name="x")):
        error = await refused(gateway.jobs.CreateJob(a_request(spec)))
        assert (error.code, error.violations[0].field) == (Code.INVALID_ARGUMENT, "job.spec.infer")
        assert "Predict" in error.message


async def test_a_call_that_is_broken_off_cancels_its_job(gateway: Gateway) -> None:
    run = await add_run(gateway)
    await add_answering_host(gateway)
    call = ModelServiceStub(gateway.channel).Predict(PredictRequest(name=run, csv=CSV))
    asking = asyncio.ensure_future(answer(call))
    await until_state(gateway, JOB_STATE_QUEUED)

    call.cancel()

    await until_state(gateway, JOB_STATE_CANCELLED)
    await asyncio.wait([asking])
    assert [job.name for job in await internal_jobs(gateway, "")] == [run], "it is in no list"
    assert (await internal_jobs(gateway, "kind = infer"))[0].name != run


async def test_the_deadline_of_the_call_is_kept_and_ends_its_job(gateway: Gateway) -> None:
    run = await add_run(gateway)
    await add_answering_host(gateway)

    error = await refused(ModelServiceStub(gateway.channel).Predict(PredictRequest(name=run, csv=CSV), timeout=1.0))

    assert error.code is Code.DEADLINE_EXCEEDED
    await until_state(gateway, JOB_STATE_CANCELLED)


async def test_what_the_recipe_says_of_the_rows_is_the_answer(gateway: Gateway) -> None:
    run = await add_run(gateway)
    await add_answering_host(gateway)
    asking = asyncio.ensure_future(
        refused(ModelServiceStub(gateway.channel).Predict(PredictRequest(name=run, csv=CSV), timeout=20.0))
    )
    job = await the_job(gateway)
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="MISSING_COLUMN", message="they lack 'x'")

    def failed(record: JobRecord) -> JobRecord:
        now = record.job.update_time.ToDatetime(tzinfo=UTC)
        return fail_attempt(claimed(record), attempt=1, failure=failure, now=now)

    await gateway.change(job.name, failed)

    error = await asking
    assert (error.code, error.reason, error.message) == (Code.INVALID_ARGUMENT, "ROWS", "they lack 'x'")
    assert [(one.field, one.reason) for one in error.violations] == [("csv", "MISSING_COLUMN")]


async def test_a_key_that_may_only_read_asks_no_model(gateway: Gateway) -> None:
    run = await add_run(gateway)
    async with gateway.opened(await gateway.add_key("read")) as channel:
        error = await refused(ModelServiceStub(channel).Predict(PredictRequest(name=run, csv=CSV)))
    assert (error.code, error.reason) == (Code.PERMISSION_DENIED, "SCOPE")
