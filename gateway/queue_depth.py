"""How many jobs each project and each key has in the queue, to refuse the one too many; and who came last."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gateway.projection.rows import JobSeen, project_of
from gateway.projection.table import QueuedRow
from headway.contract.errors import QueueFull
from headway.contract.kinds import INTERNAL_KINDS
from headway.contract.times import moment
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED
from headway.v1.records_pb2 import JobRecord

RETRY_AFTER = timedelta(seconds=30)
"""A queue empties by training; sooner than this a repeat has little hope."""


class QueueDepth:
    """The queued jobs by project and key: from the projection at start, then from the bucket's stream.

    A job counts from the moment its admission begins, so that calls in flight together cannot pass the limit.
    """

    _BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
    _NEXT = timedelta(microseconds=1)

    def __init__(self, *, per_project: int, per_key: int) -> None:
        """Args: per_project, per_key: queued jobs allowed."""
        self._per_project = per_project
        self._per_key = per_key
        self._by_project: dict[str, set[str]] = defaultdict(set)
        self._by_key: dict[str, set[str]] = defaultdict(set)
        self._newest = self._BEFORE_ALL

    def load(self, rows: Iterable[QueuedRow]) -> None:
        """Begin with what the projection knows."""
        self._by_project.clear()
        self._by_key.clear()
        for row in rows:
            self._add(row.job_id, row.project, row.key_id)
            self._newest = max(self._newest, datetime.fromtimestamp(row.create_time / 1_000_000, UTC))

    def saw(self, seen: JobSeen) -> None:
        """Take note of a revision."""
        if seen.record is None:
            # The record is gone and with it the names that it counted under.
            for jobs in (*self._by_project.values(), *self._by_key.values()):
                jobs.discard(seen.job_id)
        else:
            self.note(seen.job_id, seen.record)

    def note(self, job_id: str, record: JobRecord) -> None:
        """Count a job or not, as its record says; one of our own never counts."""
        if record.job.kind in INTERNAL_KINDS:
            return
        project = project_of(record.job.name)
        if record.job.state == JOB_STATE_QUEUED:
            self._add(job_id, project, record.key_id)
            self._newest = max(self._newest, moment(record.job.create_time))
        else:
            self.release(job_id, project, record.key_id)

    def place(self, now: datetime) -> datetime:
        """The time of creation of the next job: `now`, or behind the newest when the wall clock went back since.

        The queue stands in the order of these times, and a clock that is put back lets nobody push in (P22). Where
        nobody waits there is no order to keep.
        """
        if not any(self._by_project.values()):
            self._newest = self._BEFORE_ALL
        self._newest = now if now >= self._newest else self._newest + self._NEXT
        return self._newest

    def reserve(self, job_id: str, project: str, key_id: str) -> None:
        """Count a job that is about to be created; `release` it when that fails.

        Raises:
            QueueFull: the project or the key has as many queued jobs as it may; nothing was counted.
        """
        self._check(self._by_project[project], self._per_project, "project", f"projects/{project}")
        self._check(self._by_key[key_id], self._per_key, "key", key_id)
        self._add(job_id, project, key_id)

    def release(self, job_id: str, project: str, key_id: str) -> None:
        """Count a job no longer."""
        self._by_project[project].discard(job_id)
        self._by_key[key_id].discard(job_id)

    def _add(self, job_id: str, project: str, key_id: str) -> None:
        self._by_project[project].add(job_id)
        self._by_key[key_id].add(job_id)

    @staticmethod
    def _check(jobs: set[str], limit: int, owner: str, subject: str) -> None:
        if len(jobs) < limit:
            return
        raise QueueFull(
            f"the {owner} has {len(jobs)} jobs queued, and {limit} are allowed; wait, or cancel some",
            metadata={"quota": f"queued jobs per {owner}", "subject": subject, "limit": str(limit), "left": "0"},
            retry_after=RETRY_AFTER,
        )
