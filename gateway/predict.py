"""Serves Predict: an internal job that a trainer host runs ahead of training, waited for, and read back.

The same claim, fence and commit as of any job: whatever dies on the way, the rows are answered once more or the call
says why not. Nothing of it is anybody's job: it is in no list and publishes no event, and it is cleared away later.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.predict_answer import (
    ANSWERS_MAX_BYTES,
    REPORT_MAX_BYTES,
    parse_report,
    response_of,
    travels_along,
)
from gateway.predict_endings import Endings
from gateway.predict_models import Answering
from gateway.predict_rows import csv_of
from gateway.submit import ChecksRoom
from gateway.validation.chain import Tables
from headway.contract import transitions
from headway.contract.errors import (
    FieldRequired,
    JobCancelled,
    PredictionFailed,
    RowsRefused,
    RuntimeUnavailable,
    ServiceUnavailable,
    Violation,
)
from headway.contract.host_facts import HostFacts
from headway.contract.ids import JobName, new_job_id
from headway.contract.kinds import INFER
from headway.contract.predictions import PREDICTIONS_PATH, REPORT_PATH, ROWS_ROLE, PredictionReport
from headway.contract.states import is_terminal
from headway.contract.transitions import Submission
from headway.runtime.clock import Clock
from headway.runtime.principal import Principal
from headway.runtime.records import RecordMissing, Records
from headway.runtime.service import Spawner
from headway.v1.job_specs_pb2 import InferSpec, JobSpec, Policies
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_SUCCEEDED,
    Admission,
    Artifact,
    PinnedInput,
)
from headway.v1.models_service_pb2 import PredictRequest, PredictResponse
from headway.v1.records_pb2 import JobRecord

_RETRIES = 1
"""Somebody waits for the answer: a host that fails twice is told of, not tried for minutes."""
_BROKEN_OFF = "the call that asked was broken off"


class LiveHosts(Protocol):
    """Who knows which hosts are up."""

    def live(self) -> Sequence[HostFacts]:
        """Facts of the hosts that are up."""
        ...


class FindsModels(Protocol):
    """Who knows what may answer."""

    async def find(self, name: str, principal: Principal) -> Answering:
        """The model of a name; raises NotFound and others."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Answers rows.

    Attributes:
        models: what may be named.
        tables: rows that are datasets or files.
        records: the jobs bucket.
        endings: tells how a job ended.
        blobs: rows go into it, answers come out of it.
        threads: for file work.
        hosts: those that are up.
        room: for the record.
        spawner: owns the cancellation of what nobody waits for any more.
        clock: for times.
    """

    models: FindsModels
    tables: Tables
    records: Records[JobRecord]
    endings: Endings
    blobs: BlobStore
    threads: DiskThreads
    hosts: LiveHosts
    room: ChecksRoom
    spawner: Spawner
    clock: Clock

    async def predict(self, request: PredictRequest, principal: Principal) -> PredictResponse:
        """Answer the rows, or cancel the work when the caller leaves.

        Raises:
            NotFound, InvalidName, PermissionDenied: of the model.
            FieldRequired, OutOfRange, InvalidTable, UnknownDataset, InvalidDataPath: of the rows, before any work.
            RowsRefused: the rows are not such as the model takes; the violation names the column.
            RuntimeUnavailable, ServiceUnavailable: no host is up that could answer.
            TooManyPredictions, DiskFull: a limit.
            PredictionFailed: the host could not answer.
            JobCancelled: somebody cancelled the internal job.
        """
        answering = await self.models.find(request.name, principal)
        check_hosts(self.hosts.live())
        rows = await self._rows(request, answering.project)
        job = JobName(answering.project, new_job_id())
        record = transitions.submit(_submission(job, request, answering, rows, principal), now=self.clock.now())
        final = await self._run(job, record)
        return await self._response(final, answering, _field_of(request))

    async def _rows(self, request: PredictRequest, project: str) -> PinnedInput:
        """The rows, in the blob store and pinned."""
        match request.WhichOneof("rows"):
            case "dataset":
                version, sheet = request.dataset_version, request.sheet_name
                table = await self.tables.by_name(project, request.dataset, version, sheet, field="dataset")
            case "data_path":
                table = await self.tables.by_path(project, request.data_path, request.sheet_name, field="data_path")
            case "csv" | "json_rows":
                stored = await self.threads.run(self.blobs.put, project, csv_of(request))
                return PinnedInput(
                    role=ROWS_ROLE,
                    digest=stored.digest,
                    size_bytes=stored.size_bytes,
                    format="csv",
                    file_name="rows.csv",
                )
            case _:
                message = "one of csv, json_rows, dataset and data_path is required"
                raise FieldRequired(message, violations=[Violation("csv", FieldRequired.reason, message)])
        pinned = PinnedInput()
        pinned.CopyFrom(table.pinned)
        pinned.role = ROWS_ROLE
        return pinned

    async def _run(self, job: JobName, record: JobRecord) -> JobRecord:
        """The record with which the job ends."""
        self.room.check()
        with self.endings.awaited(job.job_id) as ended:
            is_over = False
            try:
                await self.records.create(job.job_id, record)
                final = await ended
                is_over = True
            finally:
                if not is_over:
                    self._cancel_in_passing(job)
        return final

    def _cancel_in_passing(self, job: JobName) -> None:
        work = self._cancel(job)
        try:
            self.spawner.spawn("cancel a prediction", work)
        except RuntimeError:
            # The gateway stops; whoever clears predictions away comes upon it.
            work.close()

    async def _cancel(self, job: JobName) -> None:
        def wish(record: JobRecord) -> JobRecord | None:
            if is_terminal(record.job.state):
                return None
            return transitions.request_cancel(record, message=_BROKEN_OFF, now=self.clock.now())

        with suppress(RecordMissing):
            await self.records.change(job.job_id, wish)

    async def _response(self, record: JobRecord, answering: Answering, field: str) -> PredictResponse:
        job = record.job
        if job.state != JOB_STATE_SUCCEEDED:
            raise refusal_of(record, field)
        files = {artifact.path: artifact for artifact in job.result.bundle.artifacts}
        report = parse_report(await self._read(answering.project, files[REPORT_PATH], REPORT_MAX_BYTES))
        answers = files[PREDICTIONS_PATH]
        content = await self._answers(answering.project, report, answers)
        return response_of(report, answers, content, job=job.name, model=answering.name)

    async def _answers(self, project: str, report: PredictionReport, answers: Artifact) -> bytes | None:
        if not travels_along(report, answers):
            return None
        return await self._read(project, answers, ANSWERS_MAX_BYTES)

    async def _read(self, project: str, artifact: Artifact, max_bytes: int) -> bytes:
        return await self.threads.run(self.blobs.read, project, artifact.digest, max_bytes)


def check_hosts(hosts: Sequence[HostFacts]) -> None:
    """Refuse a call that nobody could answer, rather than let it wait for its deadline.

    Raises:
        ServiceUnavailable: no host is up that answers predictions.
        RuntimeUnavailable: hosts are up, and none of them can import PyTorch.
    """
    if any(INFER in host.kinds and not host.draining for host in hosts):
        return
    if not hosts:
        raise ServiceUnavailable("no trainer host is up to answer; start one with `headway up` or `headway host join`")
    if not any(host.has_torch for host in hosts):
        raise RuntimeUnavailable("no trainer host can import PyTorch; install headway[host] on one of them")
    raise ServiceUnavailable("none of the trainer hosts that are up answers predictions; bring one to this release")


def refusal_of(record: JobRecord, field: str) -> Exception:
    """Why a job that has not succeeded gave no answer, as the error of the call.

    Args:
        record: terminal.
        field: of the request, that named the rows.
    """
    job = record.job
    if job.state == JOB_STATE_CANCELLED:
        return JobCancelled("the prediction was cancelled; ask again", metadata={"job": job.name})
    failure = job.failure
    if failure.failure_class == FAILURE_CLASS_USER_INPUT:
        violation = Violation(field, failure.reason or RowsRefused.reason, failure.message)
        return RowsRefused(failure.message, violations=[violation], metadata={"job": job.name})
    return PredictionFailed(failure.message, metadata={"job": job.name, "why": failure.reason})


def _field_of(request: PredictRequest) -> str:
    return request.WhichOneof("rows") or "rows"


def _submission(
    job: JobName, request: PredictRequest, answering: Answering, rows: PinnedInput, principal: Principal
) -> Submission:
    asked = InferSpec(
        model=answering.name,
        impute_missing_columns=request.impute_missing_columns,
        sheet_name=request.sheet_name,
    )
    return Submission(
        name=job.name,
        spec=JobSpec(infer=asked, policies=Policies(retry_max=_RETRIES)),
        kind=INFER,
        user_id=principal.user_id,
        admission=Admission(),
        inputs=[*answering.inputs, rows],
        key_id=principal.key_id,
    )
