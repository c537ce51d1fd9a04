"""The registry of recent runs: 900 s, at most 128, first in first out; each way to be gone is told apart."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.projection.rows import JobSeen
from gateway.recent_runs import RecentRuns
from headway.contract.errors import NotFound
from headway.contract.limits import RECENT_RUN_TTL, RECENT_RUNS_MAX
from headway.contract.times import timestamp
from headway.runtime.records import Stored
from headway.v1.jobs_pb2 import JOB_STATE_EVAL_FAILED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, Job, JobResult, JobState
from headway.v1.records_pb2 import JobRecord

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def run_id(number: int) -> str:
    return f"j{number:025d}"


def a_run(
    number: int = 0,
    *,
    stored: datetime = NOW,
    kind: str = "tabular_train",
    state: "JobState.ValueType" = JOB_STATE_SUCCEEDED,
    project: str = "demo",
) -> JobRecord:
    """A job with a result."""
    result = JobResult(commit_time=timestamp(stored))
    return JobRecord(job=Job(name=f"projects/{project}/jobs/{run_id(number)}", kind=kind, state=state, result=result))


def seen(record: JobRecord, revision: int) -> JobSeen:
    return JobSeen(record.job.name.rpartition("/")[2], revision, record, b"")


def stored_as(record: JobRecord, revision: int) -> Stored[JobRecord]:
    return Stored(record.job.name.rpartition("/")[2], record, revision, NOW)


def filled(num_runs: int) -> RecentRuns:
    """A registry that saw so many runs, a millisecond apart, with revisions from 1."""
    runs = RecentRuns()
    for number in range(num_runs):
        runs.saw(seen(a_run(number, stored=NOW + number * SECOND / 1000), number + 1))
    return runs


def why(runs: RecentRuns, record: JobRecord | None, *, now: datetime = NOW, revision: int = 1, name: str = "") -> str:
    """Why the run cannot be used; empty when it can."""
    wanted = name or (record.job.name.rpartition("/")[2] if record is not None else "j1")
    found = None if record is None else stored_as(record, revision)
    try:
        found_run = runs.find(wanted, found, project="demo", now=now)
    except NotFound as error:
        return error.metadata["why"]
    assert found_run is record
    return ""


def refusal(name: str, found: Stored[JobRecord] | None) -> NotFound:
    with pytest.raises(NotFound) as caught:
        RecentRuns().find(name, found, project="demo", now=NOW)
    return caught.value


@pytest.mark.parametrize("kind", ["tabular_train", "tabular_distill"])
@pytest.mark.parametrize("state", [JOB_STATE_SUCCEEDED, JOB_STATE_EVAL_FAILED])
def test_every_tabular_result_is_a_run(kind: str, state: "JobState.ValueType") -> None:
    runs, record = RecentRuns(), a_run(kind=kind, state=state)
    runs.saw(seen(record, 1))
    assert why(runs, record) == ""


def test_a_run_lasts_900_s_after_it_was_stored_however_often_it_is_used() -> None:
    runs, record = RecentRuns(), a_run()
    runs.saw(seen(record, 1))
    assert timedelta(seconds=900) == RECENT_RUN_TTL
    for seconds in (0, 1, 500, 899, 900):
        assert why(runs, record, now=NOW + seconds * SECOND) == ""
    assert why(runs, record, now=NOW + 900 * SECOND + timedelta(microseconds=1)) == "EXPIRED"
    assert why(runs, record, now=NOW + timedelta(days=30)) == "EXPIRED"


def test_there_are_128_and_never_129_first_in_first_out() -> None:
    runs = filled(RECENT_RUNS_MAX)
    assert RECENT_RUNS_MAX == 128
    assert why(runs, a_run(0), revision=1) == ""
    runs.saw(seen(a_run(128, stored=NOW + SECOND), 129))
    assert why(runs, a_run(0), revision=1) == "PUSHED_OUT"
    assert [why(runs, a_run(number), revision=number + 1) for number in range(1, 129)] == [""] * 128


def test_using_a_run_does_not_keep_it_from_being_pushed_out() -> None:
    runs = filled(RECENT_RUNS_MAX)
    assert why(runs, a_run(0)) == ""
    runs.saw(seen(a_run(500, stored=NOW + SECOND), 500))
    assert why(runs, a_run(0)) == "PUSHED_OUT"


def test_a_later_revision_of_a_run_neither_renews_it_nor_brings_it_back() -> None:
    runs = filled(RECENT_RUNS_MAX)
    runs.saw(seen(a_run(0), 200))
    runs.saw(seen(a_run(500, stored=NOW + SECOND), 201))
    assert why(runs, a_run(0), revision=200) == "PUSHED_OUT"
    runs.saw(seen(a_run(501, stored=NOW + SECOND), 202))
    runs.saw(seen(a_run(0), 203))
    assert why(runs, a_run(0), revision=203) == "PUSHED_OUT"
    assert why(runs, a_run(2), revision=3) == ""


def test_what_was_pushed_out_long_ago_has_expired() -> None:
    runs = filled(RECENT_RUNS_MAX + 1)
    assert why(runs, a_run(0), now=NOW + timedelta(hours=1)) == "EXPIRED"


def test_what_never_was_a_run_here_is_unknown() -> None:
    runs = RecentRuns()
    running = a_run(state=JOB_STATE_RUNNING)
    running.job.ClearField("result")
    for record in (None, running, a_run(kind="toy"), a_run(project="other"), a_run(project="demo2")):
        if record is not None:
            runs.saw(seen(record, 1))
        assert why(runs, record) == "UNKNOWN"


def test_a_run_of_another_project_is_told_like_one_that_does_not_exist() -> None:
    told = [refusal(run_id(7), None), refusal(run_id(7), stored_as(a_run(7, project="other"), 1))]
    assert (told[0].message, told[0].metadata) == (told[1].message, told[1].metadata)


def test_a_result_can_be_used_before_the_stream_tells_of_it() -> None:
    runs = filled(3)
    record = a_run(9)
    assert why(runs, record, revision=4) == ""
    assert why(runs, record, revision=3) == "PUSHED_OUT"


def test_a_deleted_record_is_no_run() -> None:
    runs = filled(2)
    runs.saw(JobSeen(run_id(0), 3, None, b""))
    assert why(runs, None, name=run_id(0)) == "UNKNOWN"
    assert why(runs, a_run(1), revision=2) == ""


def test_a_restart_takes_up_what_was_stored_before_and_its_order() -> None:
    runs = RecentRuns()
    recent = [a_run(number, stored=NOW - number * SECOND) for number in range(RECENT_RUNS_MAX)]
    runs.load([*recent, a_run(900, kind="toy")], 5000)
    assert why(runs, recent[-1], revision=4000) == ""
    runs.saw(seen(a_run(901, stored=NOW + SECOND), 5001))
    assert why(runs, recent[-1], revision=4000) == "PUSHED_OUT"
    assert why(runs, recent[0], revision=4000) == ""
    # Told of before the restart, and not among what was loaded.
    assert why(runs, a_run(902), revision=5000) == "PUSHED_OUT"


@pytest.mark.parametrize(
    ("age", "num_newer", "words"),
    [
        (timedelta(seconds=901), 0, "more than 900 s ago"),
        (timedelta(), RECENT_RUNS_MAX, "pushed out by 128 newer runs"),
    ],
)
def test_the_message_says_what_the_run_was_to_its_caller_and_how_to_go_on(
    age: timedelta, num_newer: int, words: str
) -> None:
    runs, record = RecentRuns(), a_run()
    runs.saw(seen(record, 1))
    for number in range(num_newer):
        runs.saw(seen(a_run(number + 1, stored=NOW + SECOND), number + 2))
    with pytest.raises(NotFound) as caught:
        runs.find(run_id(0), stored_as(record, 1), project="demo", now=NOW + age, what="Teacher run")
    assert caught.value.message.startswith("Teacher run not found or expired. ")
    assert words in caught.value.message
    assert "name a saved model" in caught.value.message


def test_what_a_caller_wrote_is_repeated_cut_and_escaped() -> None:
    error = refusal("\x1b" * 5000, None)
    assert error.message.startswith("Run not found or expired. ")
    assert "\x1b" not in error.message
    assert len(error.message) < 250
    assert len(error.metadata["run"]) < 80
