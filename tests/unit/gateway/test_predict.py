"""A prediction's whole way through the gateway, with a host that is played here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.predict import Predictor, check_hosts
from gateway.predict_endings import Endings
from gateway.predict_models import Answering
from gateway.projection.rows import JobSeen
from headway.contract import transitions
from headway.contract.errors import (
    FieldRequired,
    HeadwayError,
    JobCancelled,
    PredictionFailed,
    RowsRefused,
    RuntimeUnavailable,
    ServiceUnavailable,
    StoreUnavailable,
    TooManyPredictions,
)
from headway.contract.host_facts import HostFacts
from headway.contract.kinds import INFER
from headway.contract.predictions import PREDICTIONS_PATH, REPORT_PATH
from headway.contract.subjects import JOBS
from headway.runtime.principal import Principal
from headway.runtime.records import Records
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_QUEUED,
    Artifact,
    Bundle,
    Failure,
    FailureClass,
    JobResult,
    JobState,
    PinnedInput,
)
from headway.v1.models_service_pb2 import PredictRequest
from headway.v1.records_pb2 import JobRecord
from tests.bytes_gateway import Tasks
from tests.unit.gateway.builders import PROJECT, FakeTables, a_host, a_principal, a_table

ANSWERER = a_host(kinds=frozenset({INFER}))
MODEL = Answering(PROJECT, "projects/demo/models/m/versions/v", (PinnedInput(role="model/model.json", digest="d"),))
ROWS = PredictRequest(name="n", csv="x\n1\n2\n")


@dataclass
class World:
    """All that a predictor asks for beside the store."""

    error: HeadwayError | None = None
    up: Sequence[HostFacts] = field(default_factory=lambda: [ANSWERER])

    async def find(self, _name: str, _principal: Principal) -> Answering:
        if self.error is not None:
            raise self.error
        return MODEL

    def live(self) -> Sequence[HostFacts]:
        return self.up

    def check(self) -> None:
        """There is room."""


@dataclass
class Stage:
    predictor: Predictor
    world: World
    records: Records[JobRecord]
    endings: Endings
    blobs: BlobStore
    clock: ManualClock
    job_ids: list[str] = field(default_factory=list)

    async def claimed(self) -> JobRecord:
        """The one job there is, claimed by the host."""
        queued = await eventually(self.newest)
        assert queued is not None
        return transitions.claim(
            queued, host=ANSWERER, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=self.clock.now()
        )

    async def newest(self) -> JobRecord | None:
        return None if not self.job_ids else (await self.records.get(self.job_ids[-1])).value

    def tell(self, record: JobRecord) -> None:
        self.endings.saw(JobSeen(self.job_ids[-1], 100, record, b""))

    async def state(self) -> "JobState.ValueType":
        return (await self.records.get(self.job_ids[-1])).value.job.state


@pytest.fixture
async def stage(
    memory_bus: MemoryBus, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    blobs, world = BlobStore(tmp_path / "blobs", BlobSettings()), World()
    blobs.prepare()
    records, endings = memory_bus.records(JOBS, JobRecord), Endings(max_waiting=2)
    async with DiskThreads() as threads, asyncio.TaskGroup() as group:
        predictor = Predictor(
            models=world,
            tables=FakeTables(a_table()),
            records=records,
            endings=endings,
            blobs=blobs,
            threads=threads,
            hosts=world,
            room=world,
            spawner=Tasks(group),
            clock=clock,
        )
        stage = Stage(predictor, world, records, endings, blobs, clock)
        awaited = endings.awaited

        def noting(job_id: str) -> object:
            stage.job_ids.append(job_id)
            return awaited(job_id)

        monkeypatch.setattr(endings, "awaited", noting)
        yield stage


def answered(stage: Stage, record: JobRecord, report: str, answers: str) -> JobRecord:
    files = {PREDICTIONS_PATH: answers.encode(), REPORT_PATH: report.encode()}
    stored = {path: stage.blobs.put(PROJECT, content) for path, content in files.items()}
    artifacts = [Artifact(path=path, digest=one.digest, size_bytes=one.size_bytes) for path, one in stored.items()]
    result = JobResult(bundle=Bundle(digest="sha256:0", artifacts=artifacts), attempt=1)
    return transitions.commit_result(record, host=record.job.host, result=result, now=stage.clock.now())


async def test_the_rows_go_out_as_a_job_and_the_answers_come_back(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        call = group.create_task(stage.predictor.predict(ROWS, a_principal()))
        record = await stage.claimed()
        stage.tell(record)
        stage.tell(answered(stage, record, '{"task": "regression", "num_rows": 2}', "prediction\n1.5\n2.5\n"))

    response = call.result()
    assert [one.number for one in response.predictions] == [1.5, 2.5]
    assert (response.job, response.model) == (record.job.name, MODEL.name)
    assert (record.job.kind, record.job.user_id, record.model_id) == (INFER, "ada", "")
    assert [one.role for one in record.inputs] == ["model/model.json", "rows"]
    assert stage.blobs.read(PROJECT, record.inputs[1].digest, 100) == b"x\n1\n2\n"


async def test_a_dataset_is_pinned_as_the_rows(stage: Stage) -> None:
    request = PredictRequest(name="n", dataset="d", sheet_name="s", impute_missing_columns=True)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(stage.predictor.predict(request, a_principal()))
        record = await stage.claimed()
        stage.tell(answered(stage, record, '{"task": "regression", "num_rows": 0}', "prediction\n"))

    assert [one.role for one in record.inputs] == ["model/model.json", "rows"]
    assert (record.job.spec.infer.impute_missing_columns, record.job.spec.infer.sheet_name) == (True, "s")
    assert call.result().num_rows == 0


@pytest.mark.parametrize(
    ("failure_class", "error"), [(FAILURE_CLASS_USER_INPUT, RowsRefused), (FAILURE_CLASS_FATAL, PredictionFailed)]
)
async def test_why_it_failed_is_the_error_of_the_call(
    stage: Stage, failure_class: "FailureClass.ValueType", error: type[HeadwayError]
) -> None:
    async def play() -> None:
        record = await stage.claimed()
        failure = Failure(failure_class=failure_class, reason="MISSING_COLUMN", message="the rows lack 'x'")
        stage.tell(transitions.fail_attempt(record, attempt=1, failure=failure, now=stage.clock.now()))

    found, _ = await asyncio.gather(raised_by(stage, ROWS), play())

    assert isinstance(found, error)
    assert found.message == "the rows lack 'x'"
    if error is RowsRefused:
        assert [(one.field, one.reason) for one in found.violations] == [("csv", "MISSING_COLUMN")]


async def raised_by(stage: Stage, request: PredictRequest) -> HeadwayError:
    with pytest.raises(HeadwayError) as caught:
        await stage.predictor.predict(request, a_principal())
    return caught.value


async def test_a_prediction_that_somebody_cancels_says_so(stage: Stage) -> None:
    async def play() -> None:
        cancelled = transitions.request_cancel(await stage.claimed(), message="", now=stage.clock.now())
        assert cancelled is not None
        stage.tell(transitions.confirm_cancelled(cancelled, attempt=1, now=stage.clock.now()))

    found, _ = await asyncio.gather(raised_by(stage, ROWS), play())

    assert isinstance(found, JobCancelled)


async def test_a_call_that_is_broken_off_cancels_the_job(stage: Stage) -> None:
    call = asyncio.ensure_future(stage.predictor.predict(ROWS, a_principal()))
    await eventually(stage.newest)
    assert await stage.state() == JOB_STATE_QUEUED

    call.cancel()

    async def is_cancelled() -> bool:
        return await stage.state() == JOB_STATE_CANCELLED

    await eventually(is_cancelled)
    assert call.cancelled()


async def test_nothing_is_made_for_a_model_or_rows_that_are_none(stage: Stage) -> None:
    assert isinstance(await raised_by(stage, PredictRequest(name="n")), FieldRequired)
    assert isinstance(await raised_by(stage, PredictRequest(name="n", csv="")), FieldRequired)
    stage.world.error = StoreUnavailable("nats-server is away")
    assert isinstance(await raised_by(stage, ROWS), StoreUnavailable)
    assert stage.job_ids == []


async def test_one_prediction_too_many_is_refused_before_it_is_a_job(stage: Stage) -> None:
    with stage.endings.awaited("j1"), stage.endings.awaited("j2"):
        assert isinstance(await raised_by(stage, ROWS), TooManyPredictions)
        assert await stage.records.find(stage.job_ids[-1]) is None


@pytest.mark.parametrize(
    ("hosts", "error"),
    [
        ([], ServiceUnavailable),
        ([a_host(has_torch=False, kinds=frozenset())], RuntimeUnavailable),
        ([a_host(kinds=frozenset({"tabular_train"}))], ServiceUnavailable),
        ([a_host(kinds=frozenset({INFER}), draining=True)], ServiceUnavailable),
    ],
)
def test_a_call_that_nobody_could_answer_is_refused_at_once(
    hosts: Sequence[HostFacts], error: Callable[[str], HeadwayError]
) -> None:
    with pytest.raises(HeadwayError) as caught:
        check_hosts(hosts)
    assert type(caught.value) is error
    check_hosts([*hosts, ANSWERER])
