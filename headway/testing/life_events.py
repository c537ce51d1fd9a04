"""Jobs that have ended, and the events of their lives as the scheduler publishes them."""

from datetime import datetime, timedelta

from headway.contract.cloud_events import OutwardEvent
from headway.contract.events import job_event
from headway.contract.transitions import commit_result, fail_attempt
from headway.testing.builders import A_DIGEST, A_MOMENT, a_claimed_record, a_record
from headway.v1.jobs_pb2 import FAILURE_CLASS_FATAL, Bundle, Failure, JobResult, ResultSummary
from headway.v1.records_pb2 import JobRecord

_SECOND = timedelta(seconds=1)


def a_completed_record(now: datetime = A_MOMENT, *, project: str = "demo") -> JobRecord:
    """Queued, started a second later, evaluated and completed a second after that: four events."""
    claimed = a_claimed_record(a_record(now=now, project=project), now=now + _SECOND)
    summary = ResultSummary(metrics={"accuracy": 0.9}, headline_metric="accuracy", headline_value=0.9)
    result = JobResult(bundle=Bundle(digest=A_DIGEST), attempt=1, summary=summary)
    return commit_result(claimed, host=claimed.job.attempts[0].host, result=result, now=now + 2 * _SECOND)


def a_failed_record(now: datetime = A_MOMENT, *, project: str = "demo") -> JobRecord:
    """Queued, started, failed, a second apart: three events."""
    claimed = a_claimed_record(a_record(now=now, project=project), now=now + _SECOND)
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="DISK_FULL", message="the disk is full")
    return fail_attempt(claimed, attempt=1, failure=failure, now=now + 2 * _SECOND)


def events_of(record: JobRecord) -> list[OutwardEvent]:
    """Every event of a job, in order."""
    found = (job_event(record.job, transition) for transition in record.job.transitions)
    return [event for event in found if event is not None]
