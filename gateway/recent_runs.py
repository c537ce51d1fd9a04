"""The runs of the last minutes: whose bundle can be used by its run id, whether or not the model was saved."""

import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway.projection.rows import JobSeen
from headway.contract.errors import NotFound, echo
from headway.contract.ids import JOB_PATTERN
from headway.contract.kinds import TABULAR_KINDS
from headway.contract.limits import RECENT_RUN_TTL, RECENT_RUNS_MAX
from headway.contract.states import state_name
from headway.contract.times import moment
from headway.runtime.records import Stored
from headway.v1.jobs_pb2 import Job
from headway.v1.records_pb2 import JobRecord


class RecentRuns:
    """The newest tabular results, at most 128, each for 900 s after it was stored. First in, first out.

    Only ids and times are kept: the record of a run says the rest, and also how it left. So unknown, expired and pushed
    out are told apart however long ago it was.

    Source:
        seeds/000, "Registry Behavior".
    """

    def __init__(self, *, ttl: timedelta = RECENT_RUN_TTL, max_runs: int = RECENT_RUNS_MAX) -> None:
        """Args: ttl: how long after its result was stored a run stays. max_runs: how many stay."""
        self._ttl = ttl
        self._max_runs = max_runs
        self._runs: OrderedDict[str, datetime] = OrderedDict()
        self._newest_revision = 0
        self._pushed_out_until: datetime | None = None

    def load(self, records: Iterable[JobRecord], revision: int) -> None:
        """Take up what was stored before this process began.

        Args:
            records: of recent jobs, in any order; those that are no runs are passed over.
            revision: the stream of jobs was followed up to here.
        """
        for record in sorted(filter(_is_run, records), key=_stored_at):
            self._note(_run_id(record.job), _stored_at(record))
        self._newest_revision = max(self._newest_revision, revision)

    def saw(self, seen: JobSeen) -> None:
        """Take note of a revision of a job, in the order of the bucket's stream."""
        self._newest_revision = max(self._newest_revision, seen.revision)
        if seen.record is None:
            self._runs.pop(seen.job_id, None)
        elif _is_run(seen.record):
            self._note(seen.job_id, _stored_at(seen.record))

    def find(
        self, run_id: str, stored: Stored[JobRecord] | None, *, project: str, now: datetime, what: str = "Run"
    ) -> JobRecord:
        """The record of a run that can be used now.

        Args:
            run_id: as the caller wrote it.
            stored: the job's newest record, read after the caller asked; None when there is none.
            project: the run must be of it.
            now: the time.
            what: what the run is to the caller, such as `Teacher run`.

        Raises:
            NotFound: it never was a run here, has expired, or was pushed out; the message and `why` say which.
        """
        record = stored.value if stored is not None else None
        if stored is None or record is None or not record.job.name.startswith(f"projects/{project}/"):
            raise _gone(what, run_id, "UNKNOWN", f"no job of projects/{project} has the id {echo(run_id)}")
        if not _is_run(record):
            about = f"the job {echo(run_id)} is {state_name(record.job.state)} and has stored no tabular model"
            raise _gone(what, run_id, "UNKNOWN", about)
        seconds = int(self._ttl.total_seconds())
        if now - _stored_at(record) > self._ttl:
            raise _gone(what, run_id, "EXPIRED", f"{echo(run_id)} was stored more than {seconds} s ago")
        # Its caller may have heard of the success before the stream tells of it here, which takes some milliseconds.
        is_told_of = stored.revision <= self._newest_revision
        if run_id not in self._runs and is_told_of:
            about = f"{echo(run_id)} was pushed out by {self._max_runs} newer runs"
            raise _gone(what, run_id, "PUSHED_OUT", about)
        return record

    def _note(self, run_id: str, stored_at: datetime) -> None:
        # A later revision of a run that was pushed out must not bring it back.
        is_old = self._pushed_out_until is not None and stored_at < self._pushed_out_until
        if is_old or run_id in self._runs:
            return
        self._runs[run_id] = stored_at
        if len(self._runs) > self._max_runs:
            _, self._pushed_out_until = self._runs.popitem(last=False)


def _is_run(record: JobRecord) -> bool:
    return record.job.kind in TABULAR_KINDS and record.job.HasField("result")


def _stored_at(record: JobRecord) -> datetime:
    return moment(record.job.result.commit_time)


def _run_id(job: Job) -> str:
    return job.name.rpartition("/")[2]


def _gone(what: str, run_id: str, why: str, about: str) -> NotFound:
    remedy = "" if why == "UNKNOWN" else "; train it again, or name a saved model instead"
    message = f"{what} not found or expired. {about[0].upper()}{about[1:]}{remedy}."
    shown = run_id if re.fullmatch(JOB_PATTERN, run_id) else echo(run_id)
    return NotFound(message, metadata={"run": shown, "why": why})
