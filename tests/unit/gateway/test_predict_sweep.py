"""Predictions go an hour after their end, with all that was theirs and nothing that is anybody else's."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.blob_collector import BlobCollector
from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.job_logs import JobLogs
from gateway.predict_sweep import Due, PredictionSweep, due
from gateway.projection.table import InternalRow
from gateway.projection.view import Projection
from headway.contract import transitions
from headway.contract.kinds import INFER
from headway.contract.subjects import JOBS
from headway.contract.transitions import Submission, request_cancel
from headway.runtime.bus import Bus
from headway.runtime.records import Records
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import InferSpec, JobSpec
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, Admission, Artifact, Bundle, Job, JobResult, PinnedInput
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import PROJECT, a_record, seen

HOUR = 3_600_000_000
OLD_NAME = f"projects/{PROJECT}/jobs/j" + "a" * 25


@dataclass
class Stage:
    sweep: PredictionSweep
    records: Records[JobRecord]
    projection: Projection
    blobs: BlobStore
    logs: JobLogs
    clock: ManualClock

    async def put(self, record: JobRecord) -> str:
        """As if it had been written by somebody, and told."""
        job_id = record.job.name.rpartition("/")[2]
        revision = await self.records.create(job_id, record)
        self.projection.offer(seen(record, revision))
        await self.projection.flush()
        return job_id

    def put_blob(self, content: bytes) -> str:
        info = self.blobs.put(PROJECT, content)
        os.utime(self.blobs.path(PROJECT, info.digest), (1e9, 1e9))
        return info.digest


@pytest.fixture
async def stage(bus: Bus, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Stage]:
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(clock.now())
    blobs, logs = BlobStore(tmp_path / "blobs", BlobSettings()), JobLogs(tmp_path / "logs")
    blobs.prepare()
    records = bus.records(JOBS, JobRecord)

    async def whole() -> None:
        """The buckets are those that the blobs belong to."""

    async with DiskThreads() as threads:
        collector = BlobCollector(bus, blobs, threads, clock, BlobSettings(), whole)
        sweep = PredictionSweep(projection, records, logs, collector, clock)
        yield Stage(sweep, records, projection, blobs, logs, clock)
    await logs.aclose()
    await projection.aclose()


def a_prediction(clock: ManualClock, *, rows: str = "", name: str = OLD_NAME) -> JobRecord:
    submission = Submission(
        name=name,
        spec=JobSpec(infer=InferSpec(model="m")),
        kind=INFER,
        user_id="ada",
        admission=Admission(),
        inputs=[PinnedInput(role="rows", digest=rows), PinnedInput(role="model/x", digest=rows, dataset="kept")],
    )
    return transitions.submit(submission, now=clock.now())


def ended(record: JobRecord, clock: ManualClock, *digests: str) -> JobRecord:
    changed = request_cancel(record, message="", now=clock.now())
    assert changed is not None
    artifacts = [Artifact(path=digest, digest=digest) for digest in digests]
    changed.job.result.CopyFrom(JobResult(bundle=Bundle(digest="sha256:0", artifacts=artifacts)))
    return changed


def test_what_is_due_follows_from_the_times(clock: ManualClock) -> None:
    now = int(clock.now().timestamp() * 1e6)
    rows = [
        InternalRow("ended long ago", 1, now - 5 * HOUR, now - HOUR - 1),
        InternalRow("ended just now", 1, now - 5 * HOUR, now - HOUR + 1_000_000),
        InternalRow("begun long ago", 1, now - 12 * 60_000_000, 0),
        InternalRow("under way", 1, now - 10 * 60_000_000, 0),
    ]

    assert due(rows, clock.now()) == Due(("ended long ago",), ("begun long ago",))


async def test_record_log_and_blobs_go_an_hour_after_the_end(stage: Stage) -> None:
    rows, answers, shared = (stage.put_blob(name) for name in (b"rows", b"answers", b"shared"))
    await stage.put(JobRecord(job=Job(name=a_record().job.name, result=JobResult(bundle=Bundle(digest=shared)))))
    job_id = await stage.put(ended(a_prediction(stage.clock, rows=rows), stage.clock, answers, shared))
    await stage.logs.append(OLD_NAME, 1, [LogLine(number=1, message="hello")])

    await stage.clock.advance(3500)
    assert await stage.sweep.sweep() == 0

    await stage.clock.advance(200)
    assert await stage.sweep.sweep() == 1

    async def is_gone() -> bool:
        return await stage.records.find(job_id) is None

    await eventually(is_gone)
    assert await stage.logs.read(job_id, 1) == ([], 1)
    assert stage.blobs.find_missing(PROJECT, [rows, answers, shared]) == [rows, answers]


async def test_bytes_that_somebody_has_used_since_stay_for_the_collector(stage: Stage) -> None:
    rows = stage.blobs.put(PROJECT, b"rows").digest
    await stage.put(ended(a_prediction(stage.clock, rows=rows), stage.clock))
    await stage.clock.advance(3700)
    now = stage.clock.now().timestamp()
    os.utime(stage.blobs.path(PROJECT, rows), (now - 60, now - 60))

    assert await stage.sweep.sweep() == 1
    assert stage.blobs.find(PROJECT, rows) is not None


async def test_what_nobody_can_wait_for_any_more_is_cancelled(stage: Stage) -> None:
    job_id = await stage.put(a_prediction(stage.clock))
    await stage.clock.advance(12 * 60)

    await stage.sweep.sweep()

    assert (await stage.records.get(job_id)).value.job.state == JOB_STATE_CANCELLED


async def test_a_row_whose_record_has_gone_unheard_is_dropped(stage: Stage) -> None:
    job_id = await stage.put(ended(a_prediction(stage.clock), stage.clock))
    await stage.records.delete(job_id)
    await stage.clock.advance(3700)

    assert len(await stage.projection.internal()) == 1
    await stage.sweep.sweep()
    assert len(await stage.projection.internal()) == 0


async def test_jobs_of_people_are_never_looked_at(stage: Stage) -> None:
    changed = request_cancel(a_record(now=stage.clock.now()), message="", now=stage.clock.now())
    assert changed is not None
    job_id = await stage.put(changed)
    await stage.clock.advance(100_000)

    assert await stage.sweep.sweep() == 0
    assert await stage.records.find(job_id) is not None
