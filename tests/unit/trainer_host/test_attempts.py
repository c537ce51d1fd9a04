from pathlib import Path

import pytest

from headway.testing.clock import ManualClock
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    ATTEMPT_PHASE_STARTING,
    ATTEMPT_PHASE_TRAINING,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_USER_INPUT,
    Failure,
    Progress,
)
from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_store import AttemptStore
from trainer_host.attempts import AttemptTable


@pytest.fixture
def table(tmp_path: Path, clock: ManualClock) -> AttemptTable:
    made = AttemptTable(AttemptStore(tmp_path), clock)
    made.restore(set())
    return made


def after_a_restart(tmp_path: Path, clock: ManualClock) -> AttemptTable:
    return AttemptTable(AttemptStore(tmp_path), clock)


def test_an_attempt_begins_as_starting(table: AttemptTable) -> None:
    key = a_key()
    assert table.begin(key)
    assert table.changed.is_set()
    [report] = table.reports()
    assert (report.job, report.attempt, report.phase) == (key.job, 1, ATTEMPT_PHASE_STARTING)
    assert report.HasField("begin_time")


def test_a_new_phase_is_news_and_other_progress_is_not(table: AttemptTable) -> None:
    key = a_key()
    table.begin(key)
    table.changed.clear()
    table.set_progress(key, Progress(phase=ATTEMPT_PHASE_TRAINING, step=1))
    assert table.changed.is_set()
    table.changed.clear()
    table.set_progress(key, Progress(phase=ATTEMPT_PHASE_TRAINING, step=2))
    assert not table.changed.is_set()
    [report] = table.reports()
    assert report.step == 2


def test_the_first_end_counts(table: AttemptTable) -> None:
    key = a_key()
    table.begin(key)
    table.end(key, ATTEMPT_OUTCOME_SUCCEEDED, step=9)
    table.end(key, ATTEMPT_OUTCOME_FAILED)
    [report] = table.reports()
    assert (report.outcome, report.step) == (ATTEMPT_OUTCOME_SUCCEEDED, 9)


def test_an_end_is_reported_until_it_is_released(table: AttemptTable) -> None:
    key = a_key()
    table.begin(key)
    assert not table.release(key), "a running attempt must not be forgotten"
    table.end(key, ATTEMPT_OUTCOME_SUCCEEDED)
    assert len(table.reports()) == 1
    assert table.release(key)
    assert table.reports() == []


def test_an_attempt_that_was_released_never_runs_again(table: AttemptTable) -> None:
    key = a_key()
    table.begin(key)
    table.end(key, ATTEMPT_OUTCOME_SUCCEEDED)
    table.release(key)
    assert not table.begin(key)
    [report] = table.reports()
    assert report.outcome == ATTEMPT_OUTCOME_SUCCEEDED


def test_an_attempt_that_ran_when_the_agent_died_is_lost(
    table: AttemptTable, tmp_path: Path, clock: ManualClock
) -> None:
    key = a_key()
    table.begin(key)
    again = after_a_restart(tmp_path, clock)
    again.restore(set())
    [report] = again.reports()
    assert (report.outcome, report.failure.reason) == (ATTEMPT_OUTCOME_LOST, "HOST_RESTARTED")


def test_an_end_that_nobody_heard_is_told_after_a_restart(
    table: AttemptTable, tmp_path: Path, clock: ManualClock
) -> None:
    key = a_key()
    table.begin(key)
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="X", message="y")
    table.end(key, ATTEMPT_OUTCOME_FAILED, failure=failure, step=3)
    again = after_a_restart(tmp_path, clock)
    again.restore(set())
    [report] = again.reports()
    assert (report.outcome, report.failure, report.step) == (ATTEMPT_OUTCOME_FAILED, failure, 3)


def test_a_result_in_the_outbox_is_uploading_after_a_restart(
    table: AttemptTable, tmp_path: Path, clock: ManualClock
) -> None:
    known, unknown = a_key(), a_key(2)
    table.begin(known)
    again = after_a_restart(tmp_path, clock)
    again.restore({known, unknown})
    assert {(one.job, one.phase, one.outcome) for one in again.reports()} == {
        (key.job, ATTEMPT_PHASE_UPLOADING, ATTEMPT_OUTCOME_UNSPECIFIED) for key in (known, unknown)
    }


def test_a_released_attempt_is_forgotten_for_good(table: AttemptTable, tmp_path: Path, clock: ManualClock) -> None:
    key = a_key()
    table.begin(key)
    table.end(key, ATTEMPT_OUTCOME_SUCCEEDED)
    table.release(key)
    again = after_a_restart(tmp_path, clock)
    again.restore(set())
    assert again.reports() == []


def test_a_torn_file_is_not_an_attempt(table: AttemptTable, tmp_path: Path, clock: ManualClock) -> None:
    table.begin(a_key())
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3] + b"\xff\xff\xff")
    (tmp_path / "unknown").write_bytes(b"")
    again = after_a_restart(tmp_path, clock)
    again.restore(set())
    assert again.reports() == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_given_out_is_a_copy(table: AttemptTable) -> None:
    key = a_key()
    table.begin(key)
    table.reports()[0].step = 99
    report = table.get(key)
    assert report is not None
    assert report.step == 0
