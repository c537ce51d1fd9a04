"""Reads and writes the projection's tables. Blocking: it is called from one worker thread."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from gateway.projection.filter_sql import Condition
from gateway.projection.order import Order
from gateway.projection.overlay import Overlay
from gateway.projection.page_token import Cursor
from gateway.projection.rows import AFTER_INTERNAL, INTERNAL_PREFIX, JobSeen, Row, checksum, row_of
from gateway.projection.schema import ProjectionDamaged, open_beside, open_database
from headway.v1.jobs_pb2 import JOB_STATE_EVAL_FAILED, JOB_STATE_QUEUED, JOB_STATE_SUCCEEDED

_ON_CONFLICT = """
ON CONFLICT (job_id) DO UPDATE SET
    revision = excluded.revision, project = excluded.project, state = excluded.state, kind = excluded.kind,
    user_id = excluded.user_id, display_name = excluded.display_name, mode = excluded.mode, host = excluded.host,
    priority = excluded.priority, create_time = excluded.create_time, end_time = excluded.end_time,
    tags = excluded.tags, key_id = excluded.key_id, record = excluded.record, checksum = excluded.checksum
WHERE excluded.revision > jobs.revision
"""
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHUNK_SIZES = (64, 8, 1)
"""Rows of one statement, few sizes so that each is prepared once. Many rows in one: the interpreter's lock is let go
and wanted back for every statement, and the event loop stops for each."""
_UPSERTS = {
    size: f"INSERT INTO jobs VALUES {', '.join([_ROW] * size)} {_ON_CONFLICT}"  # noqa: S608 - only our own words
    for size in _CHUNK_SIZES
}
_SET_POSITION = "INSERT OR REPLACE INTO position VALUES (1, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A record as the projection holds it.

    Attributes:
        data: bytes of the JobRecord.
        revision: its revision in the bucket.
        order_values: values of the columns that the page is ordered by.
        job_id: the tie-break of the order.
    """

    data: bytes
    revision: int
    order_values: tuple[int, ...]
    job_id: str


@dataclass(frozen=True, slots=True)
class InternalRow:
    """A job that is nobody's, for those who clear it away; `end_time` in microseconds, 0 while it is not over."""

    job_id: str
    revision: int
    create_time: int
    end_time: int


@dataclass(frozen=True, slots=True)
class QueuedRow:
    """A queued job, for the count of queued jobs and the newest of them; `create_time` in microseconds."""

    job_id: str
    project: str
    key_id: str
    create_time: int


class JobTable:
    """The projection's file."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            ProjectionDamaged: the file cannot be used, or a record in it has gone bad.
        """
        self._connection = open_database(path)
        try:
            self._check_records()
        except BaseException:
            self._connection.close()
            raise
        self._overlay = Overlay(self._connection)
        # Point look-ups come from the event loop's thread, which must not wait for a batch that is being written.
        self._lookup = open_beside(path)

    def close(self) -> None:
        """Close it; what was applied stays."""
        self._lookup.close()
        self._connection.close()

    def position(self) -> tuple[datetime | None, int]:
        """The stream that the rows came from (None before the first batch) and the last sequence of it."""
        found = self._connection.execute("SELECT stream_created, last_sequence FROM position").fetchone()
        return (None, 0) if found is None else (datetime.fromisoformat(found[0]), found[1])

    def begin(self, stream_created: datetime) -> None:
        """Follow a stream from its beginning. Rows stay: each is replaced when the stream tells of its job."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            # Revisions of another stream mean nothing in this one.
            self._connection.execute("UPDATE jobs SET revision = 0")
            self._connection.execute(_SET_POSITION, (stream_created.isoformat(), 0))

    def apply(self, batch: Sequence[JobSeen], last_sequence: int) -> None:
        """Write what was seen, and how far that is, in one commit."""
        rows = [row_of(seen, seen.record) for seen in batch if seen.record is not None]
        gone = [(seen.job_id, seen.revision) for seen in batch if seen.record is None]
        self._overlay.lift()
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for chunk in _chunks(rows):
                self._connection.execute(_UPSERTS[len(chunk)], tuple(chain.from_iterable(chunk)))
            self._connection.executemany("DELETE FROM jobs WHERE job_id = ? AND revision < ?", gone)
            self._connection.execute("UPDATE position SET last_sequence = ?", (last_sequence,))

    def show(self, batch: Sequence[JobSeen]) -> None:
        """Let every query see what was seen, without a byte on the disk, until it can be applied."""
        newest = {seen.job_id: seen for seen in batch}
        rows = [row_of(seen, seen.record) for seen in newest.values() if seen.record is not None]
        self._overlay.lay(rows, list(newest))

    def page(self, condition: Condition, order: Order, after: Cursor | None, limit: int) -> list[StoredRow]:
        """At most `limit` rows behind `after`, in order."""
        where, arguments = condition.sql, list(condition.arguments)
        columns = (*order.columns, "job_id")
        if after is not None:
            # A row value comparison is answered from the index, without reading what comes before.
            marks = ", ".join("?" * len(columns))
            where += f" AND ({', '.join(columns)}) {'<' if order.is_descending else '>'} ({marks})"
            arguments += [*after.order_values, after.job_id]
        direction = "DESC" if order.is_descending else "ASC"
        ordered = ", ".join(f"{column} {direction}" for column in columns)
        statement = (
            f"SELECT record, revision, {', '.join(columns)} FROM jobs WHERE {where} "  # noqa: S608 - only our own words
            f"ORDER BY {ordered} LIMIT ?"
        )
        found = self._connection.execute(statement, (*arguments, limit))
        return [StoredRow(data, revision, tuple(values), job_id) for data, revision, *values, job_id in found]

    def count(self, condition: Condition) -> int:
        """How many rows there are on all pages."""
        statement = f"SELECT count(*) FROM jobs WHERE {condition.sql}"  # noqa: S608 - only our own words
        return int(self._connection.execute(statement, condition.arguments).fetchone()[0])

    def queued(self) -> Iterable[QueuedRow]:
        """Every queued job that is somebody's."""
        statement = "SELECT job_id, project, key_id, create_time FROM jobs WHERE state = ? AND project > ?"
        found = self._connection.execute(statement, (JOB_STATE_QUEUED, AFTER_INTERNAL))
        return [QueuedRow(*row) for row in found]

    def internal(self) -> Iterable[InternalRow]:
        """Every job that is nobody's."""
        statement = "SELECT job_id, revision, create_time, end_time FROM jobs WHERE project >= ? AND project < ?"
        found = self._connection.execute(statement, (INTERNAL_PREFIX, AFTER_INTERNAL))
        return [InternalRow(*row) for row in found]

    def forget(self, job_id: str) -> None:
        """Drop the row of a job whose record is gone, and of whose deletion the stream tells no longer."""
        self._connection.execute("DELETE FROM main.jobs WHERE job_id = ?", (job_id,))

    def newest_results(self, kinds: Collection[str], since: int, limit: int) -> list[bytes]:
        """Records of the jobs of some kinds that ended with a result, the newest first; `since` in microseconds."""
        marks = ", ".join("?" * len(kinds))
        statement = (
            f"SELECT record FROM jobs WHERE end_time >= ? AND state IN (?, ?) AND kind IN ({marks}) "  # noqa: S608 - marks
            "ORDER BY end_time DESC LIMIT ?"
        )
        arguments = (since, JOB_STATE_SUCCEEDED, JOB_STATE_EVAL_FAILED, *kinds, limit)
        return [data for (data,) in self._connection.execute(statement, arguments)]

    def records(self) -> Iterator[tuple[str, int, bytes]]:
        """Job id, revision and bytes of every job, the oldest job first."""
        return self._connection.execute("SELECT job_id, revision, record FROM jobs ORDER BY create_time, job_id")

    def num_jobs(self) -> int:
        """How many jobs there are."""
        return int(self._connection.execute("SELECT count(*) FROM jobs").fetchone()[0])

    def find(self, job_id: str) -> tuple[bytes, int] | None:
        """Bytes and revision of one job's record; for the event loop's thread."""
        found = self._lookup.execute("SELECT record, revision FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
        return None if found is None else (found[0], found[1])

    def contains(self, job_id: str) -> bool:
        """Whether there is a row for the job; for the event loop's thread."""
        return self._lookup.execute("SELECT 1 FROM jobs WHERE job_id = ?", (job_id,)).fetchone() is not None

    def num_ahead(self, project: str, job_id: str) -> int:
        """Queued jobs of the project that go before this one: an hour of age counts as much as a point of priority."""
        statement = """
            SELECT count(*) FROM jobs AS other JOIN jobs AS mine ON mine.job_id = ?
            WHERE other.project = ? AND other.state = ? AND other.job_id != mine.job_id
              AND (other.create_time - other.priority * 3600000000, other.create_time, other.job_id)
                < (mine.create_time - mine.priority * 3600000000, mine.create_time, mine.job_id)
        """
        return int(self._connection.execute(statement, (job_id, project, JOB_STATE_QUEUED)).fetchone()[0])

    def _check_records(self) -> None:
        """Raise ProjectionDamaged when the bytes of a record are not those that were written."""
        for job_id, data, kept in self._connection.execute("SELECT job_id, record, checksum FROM jobs"):
            if kept is not None and checksum(data) != kept:
                raise ProjectionDamaged(f"the record of job {job_id} in the projection has gone bad")


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in pieces of the sizes that there are statements for."""
    at = 0
    for size in _CHUNK_SIZES:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size
