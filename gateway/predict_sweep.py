"""Clears predictions away: about an hour after its end an internal job goes, with its record, its log and its bytes.

The record goes first, by a time to live of a second: the server deletes it, followers see that, and no mark of it stays
for ever. Then the log, then the blobs that no other record names. What a crash leaves of that, the collector of unused
blobs finds days later. A prediction that nobody waits for any more, for its gateway was killed, is cancelled here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.blob_collector import BlobCollector
from gateway.projection.table import InternalRow
from gateway.projection.view import Projection
from headway.contract import transitions
from headway.contract.errors import HeadwayError
from headway.contract.ids import JobName
from headway.contract.kinds import INTERNAL_KINDS
from headway.contract.limits import PREDICT_DEADLINE_MAX, PREDICTION_KEPT
from headway.contract.states import is_terminal
from headway.runtime.clock import Clock
from headway.runtime.feeds import StreamReplaced
from headway.runtime.logs import get_logger
from headway.runtime.records import Conflict, RecordMissing, Records
from headway.v1.records_pb2 import JobRecord

_log = get_logger(__name__)
_LOOK_SECONDS = 60.0
_VANISH = timedelta(seconds=1)
_ABANDONED = PREDICT_DEADLINE_MAX + timedelta(minutes=1)
Blob = tuple[str, str]


class RemovesLogs(Protocol):
    """Where log lines are kept."""

    async def remove(self, job_id: str) -> None:
        """Delete a job's log."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done with internal jobs, by job id. Pure: `due`.

    Attributes:
        gone: their hour is over.
        abandoned: nobody can be waiting for them any more.
    """

    gone: tuple[str, ...]
    abandoned: tuple[str, ...]


def due(rows: "list[InternalRow]", now: datetime) -> Due:
    """What is to be done."""
    ended_before = _microseconds(now - PREDICTION_KEPT)
    begun_before = _microseconds(now - _ABANDONED)
    gone = tuple(row.job_id for row in rows if 0 < row.end_time < ended_before)
    abandoned = tuple(row.job_id for row in rows if not row.end_time and row.create_time < begun_before)
    return Due(gone, abandoned)


@dataclass(frozen=True, slots=True)
class PredictionSweep:
    """Looks every minute.

    Attributes:
        projection: knows the internal jobs.
        records: the jobs bucket.
        logs: of jobs.
        collector: deletes blobs that nobody names.
        clock: for ages and waits.
    """

    projection: Projection
    records: Records[JobRecord]
    logs: RemovesLogs
    collector: BlobCollector
    clock: Clock

    async def run(self) -> None:
        """Sweep for ever. A loop of the service."""
        while True:
            await self.clock.sleep(_LOOK_SECONDS)
            try:
                await self.sweep()
            except (HeadwayError, StreamReplaced, OSError) as error:
                _log.warning("predictions stay for now", why=str(error))

    async def sweep(self) -> int:
        """Look once; returns how many jobs were deleted.

        Raises:
            HeadwayError: the store does not answer; the next look goes on.
            StreamReplaced: as HeadwayError.
            OSError: the disk does not answer as it should.
        """
        now = self.clock.now()
        found = due(list(await self.projection.internal()), now)
        for job_id in found.abandoned:
            await self._cancel(job_id)
        blobs: set[Blob] = set()
        for job_id in found.gone:
            blobs |= await self._remove(job_id)
        if blobs:
            await self.collector.delete_unnamed(blobs, now - PREDICTION_KEPT, leaving=frozenset(found.gone))
        if found.gone:
            _log.info("predictions cleared away", num_jobs=len(found.gone))
        return len(found.gone)

    async def _cancel(self, job_id: str) -> None:
        def wish(record: JobRecord) -> JobRecord | None:
            if is_terminal(record.job.state):
                return None
            return transitions.request_cancel(record, message="nobody waits for it any more", now=self.clock.now())

        try:
            await self.records.change(job_id, wish)
        except RecordMissing:
            await self.projection.forget(job_id)

    async def _remove(self, job_id: str) -> set[Blob]:
        """Let the record vanish and delete the log; the blobs that it named."""
        stored = await self.records.find(job_id)
        if stored is None:
            # It has gone while this gateway was away for longer than the server tells of it.
            await self.projection.forget(job_id)
            return set()
        record = stored.value
        if record.job.kind not in INTERNAL_KINDS:
            return set()
        try:
            await self.records.update(job_id, record, stored.revision, ttl=_VANISH)
        except Conflict:
            return set()
        await self.logs.remove(job_id)
        return blobs_of(record)


def blobs_of(record: JobRecord) -> set[Blob]:
    """Project and digest of what a prediction made or was asked with; a dataset that it read is named by others."""
    project = JobName.parse(record.job.name).project
    result = record.job.result.bundle
    rows = {pinned.digest for pinned in record.inputs if not pinned.dataset}
    return {(project, digest) for digest in rows | {artifact.digest for artifact in result.artifacts}}


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
