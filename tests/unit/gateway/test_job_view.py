"""Jobs as callers see them."""

from datetime import timedelta

import pytest

from gateway.job_view import JobViews, wait_reason
from gateway.watch_hub import WatchHub
from headway.contract.host_facts import HostFacts
from headway.contract.pausing import request_pause
from headway.contract.times import timestamp
from headway.contract.transitions import claim, confirm_paused, request_cancel
from headway.testing.clock import ManualClock
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import Failure, Progress
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import (
    NOW,
    NoHosts,
    a_host,
    a_record,
)


def running() -> JobRecord:
    return claim(a_record(), host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def waiting_after_a_failure() -> JobRecord:
    record = a_record()
    record.not_before_time.CopyFrom(timestamp(NOW + timedelta(seconds=30)))
    record.job.failure.CopyFrom(Failure(reason="OUT_OF_MEMORY"))
    return record


@pytest.mark.parametrize(
    ("record", "hosts", "expected"),
    [
        (a_record(), [], "no trainer host is up"),
        (a_record(), [a_host()], "waits for a free slot on a trainer host"),
        (a_record(), [a_host(draining=True)], "no trainer host that is up takes jobs of kind tabular_train"),
        (a_record(), [a_host(kinds=frozenset())], "no trainer host that is up takes jobs of kind tabular_train"),
        (waiting_after_a_failure(), [a_host()], "waits 30 s before attempt 1, after OUT_OF_MEMORY"),
        (running(), [], ""),
    ],
)
def test_a_queued_job_says_why_it_waits(record: JobRecord, hosts: list[HostFacts], expected: str) -> None:
    assert wait_reason(record, hosts, NOW) == expected


@pytest.fixture
def hub() -> WatchHub:
    return WatchHub()


@pytest.fixture
def views(hub: WatchHub, clock: ManualClock) -> JobViews:
    return JobViews(hub, NoHosts(), clock)


def test_a_read_job_has_an_etag_in_quotes(views: JobViews) -> None:
    assert views.finished(a_record(), 7).etag == '"7"'


def test_a_shared_record_is_not_changed(views: JobViews) -> None:
    record = a_record()
    before = record.SerializeToString(deterministic=True)
    assert views.copy_of(record, 7).etag
    assert record.SerializeToString(deterministic=True) == before


def test_progress_is_shown_for_the_current_attempt_of_a_job_at_work_only(views: JobViews, hub: WatchHub) -> None:
    record = running()
    hub.saw_progress(record.job.name.rpartition("/")[2], Progress(attempt=1, step=5))
    assert views.copy_of(record, 1).progress.step == 5
    pausing = request_pause(record, message="", now=NOW)
    assert pausing is not None
    assert views.copy_of(pausing, 1).progress.step == 5
    assert not views.copy_of(confirm_paused(pausing, attempt=1, now=NOW), 1).HasField("progress")
    record.job.attempt = 2
    assert not views.copy_of(record, 1).HasField("progress")
    cancelled = request_cancel(record, message="", now=NOW)
    assert cancelled is not None
    cancelled.job.attempt = 1
    assert not views.copy_of(cancelled, 1).HasField("progress")
