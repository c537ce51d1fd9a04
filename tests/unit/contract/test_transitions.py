"""Every change of a job, as pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.contract.errors import AlreadySaved, HeadwayError, InvalidTransition, JobCancelled, StaleAttempt
from headway.contract.host_facts import HostFacts
from headway.contract.limits import ATTEMPTS_KEPT, LOSSES_MAX, TRANSITIONS_KEPT
from headway.contract.pausing import request_pause, request_resume
from headway.contract.states import is_terminal
from headway.contract.times import moment
from headway.contract.transitions import (
    Submission,
    claim,
    commit_checkpoint,
    commit_result,
    committed_digest,
    confirm_cancelled,
    confirm_paused,
    fail_attempt,
    lose_attempt,
    request_cancel,
    submit,
)
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, EvalPolicy, JobSpec, Policies, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    DESIRED_STATE_CANCEL,
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_EVAL_FAILED,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Admission,
    Bundle,
    Checkpoint,
    Failure,
    FailureClass,
    JobResult,
    ResultSummary,
)
from headway.v1.records_pb2 import JobRecord

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOST = HostFacts("hosts/a", EXECUTION_MODE_LOCAL, 1, 2, 1024, (), frozenset({"tabular_train"}), True, False)
OTHER = "hosts/b"


def a_queued(spec: JobSpec | None = None) -> JobRecord:
    return submit(
        Submission(
            name="projects/p/jobs/j" + "a" * 25,
            spec=spec or JobSpec(tabular_train=TabularTrainSpec(target_column="y")),
            kind="tabular_train",
            user_id="ada",
            admission=Admission(),
        ),
        now=NOW,
    )


def a_running(spec: JobSpec | None = None) -> JobRecord:
    return claim(a_queued(spec), host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def a_pausing(spec: JobSpec | None = None) -> JobRecord:
    record = request_pause(a_running(spec), message="for the night", now=NOW)
    assert record is not None
    return record


def a_result(attempt: int = 1, digest: str = "sha256:" + "a" * 64, **metrics: float) -> JobResult:
    return JobResult(bundle=Bundle(digest=digest), attempt=attempt, summary=ResultSummary(metrics=metrics))


def a_failure(failure_class: "FailureClass.ValueType" = FAILURE_CLASS_TRANSIENT) -> Failure:
    return Failure(failure_class=failure_class, reason="CHILD_DIED", message="it died")


def events_of(record: JobRecord) -> list[str]:
    return [transition.event for transition in record.job.transitions]


def test_a_submitted_job_is_queued_with_its_first_transition() -> None:
    record = a_queued()
    assert record.job.state == JOB_STATE_QUEUED
    assert events_of(record) == ["submitted"]
    assert record.job.transitions[0].number == 1
    assert moment(record.job.create_time) == NOW


def test_a_claim_raises_the_fence_and_names_the_host() -> None:
    record = a_running()
    assert (record.job.state, record.job.attempt, record.job.host) == (JOB_STATE_RUNNING, 1, "hosts/a")
    assert record.job.attempts[0].num_cpu_cores == 2
    assert record.job.transitions[-1].host == "hosts/a"


def test_a_claim_changes_a_copy_and_not_the_record_read() -> None:
    queued = a_queued()
    before = queued.SerializeToString(deterministic=True)
    claim(queued, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    assert queued.SerializeToString(deterministic=True) == before


def test_a_running_job_cannot_be_claimed_again() -> None:
    with pytest.raises(InvalidTransition):
        claim(a_running(), host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def test_the_fallback_reason_is_kept_and_told_in_the_transition() -> None:
    record = claim(a_queued(), host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="no host is up", now=NOW)
    assert record.job.fallback_reason == record.job.transitions[-1].message == "no host is up"


def test_cancelling_a_queued_job_ends_it_at_once() -> None:
    record = request_cancel(a_queued(), message="enough", now=NOW)
    assert record is not None
    assert (record.job.state, record.job.desired) == (JOB_STATE_CANCELLED, DESIRED_STATE_CANCEL)
    assert record.job.transitions[-1].message == "enough"
    assert record.job.HasField("end_time")


def test_cancelling_a_running_job_waits_for_its_host() -> None:
    record = request_cancel(a_running(), message="enough", now=NOW)
    assert record is not None
    assert record.job.state == JOB_STATE_CANCELLING
    done = confirm_cancelled(record, attempt=1, now=NOW)
    assert done.job.state == JOB_STATE_CANCELLED
    assert done.job.transitions[-1].message == "enough"
    assert done.job.host == ""


def test_cancelling_twice_changes_nothing() -> None:
    record = request_cancel(a_running(), message="", now=NOW)
    assert record is not None
    assert request_cancel(record, message="", now=NOW) is None


def test_a_finished_job_cannot_be_cancelled() -> None:
    with pytest.raises(InvalidTransition, match="SUCCEEDED"):
        request_cancel(commit_result(a_running(), host="hosts/a", result=a_result(), now=NOW), message="", now=NOW)


def test_an_acknowledged_cancel_never_becomes_success() -> None:
    """P21."""
    record = request_cancel(a_running(), message="", now=NOW)
    assert record is not None
    with pytest.raises(JobCancelled):
        commit_result(record, host="hosts/a", result=a_result(), now=NOW)


def test_a_result_makes_the_job_succeed_after_an_evaluation() -> None:
    record = commit_result(a_running(), host="hosts/a", result=a_result(accuracy=0.9), now=NOW)
    assert record.job.state == JOB_STATE_SUCCEEDED
    assert events_of(record) == ["submitted", "claimed", "evaluated", "committed"]
    assert committed_digest(record) == "sha256:" + "a" * 64
    assert committed_digest(a_running()) == ""


def test_a_result_below_a_min_score_fails_the_evaluation() -> None:
    spec = JobSpec(eval_policy=EvalPolicy(min_scores={"accuracy": 0.95, "f1": 0.5}))
    record = commit_result(a_running(spec), host="hosts/a", result=a_result(accuracy=0.9), now=NOW)
    assert record.job.state == JOB_STATE_EVAL_FAILED
    assert "accuracy is 0.9, at least 0.95" in record.job.transitions[-1].message
    assert "f1 is not reported" in record.job.transitions[-1].message


def test_a_result_of_a_stale_attempt_changes_nothing() -> None:
    """P9."""
    lost = lose_attempt(a_running(), attempt=1, now=NOW)
    with pytest.raises(StaleAttempt):
        commit_result(lost, host="hosts/a", result=a_result(), now=NOW)
    again = claim(lost, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    with pytest.raises(StaleAttempt, match=r"attempt 1 .* not current"):
        commit_result(again, host="hosts/a", result=a_result(attempt=1), now=NOW)


def test_a_result_from_another_host_is_refused() -> None:
    with pytest.raises(StaleAttempt, match="belongs to hosts/a"):
        commit_result(a_running(), host=OTHER, result=a_result(), now=NOW)


def test_a_second_result_is_refused() -> None:
    done = commit_result(a_running(), host="hosts/a", result=a_result(), now=NOW)
    with pytest.raises(AlreadySaved):
        commit_result(done, host="hosts/a", result=a_result(digest="sha256:" + "b" * 64), now=NOW)


def test_a_checkpoint_is_kept_for_the_next_attempt() -> None:
    checkpoint = Checkpoint(attempt=1, step=7, bundle=Bundle(digest="sha256:" + "c" * 64))
    record = commit_checkpoint(a_running(), host="hosts/a", checkpoint=checkpoint, now=NOW)
    assert record.job.checkpoint.step == 7
    assert record.job.state == JOB_STATE_RUNNING
    with pytest.raises(StaleAttempt):
        commit_checkpoint(a_queued(), host="hosts/a", checkpoint=checkpoint, now=NOW)


def test_the_checkpoint_before_the_newest_is_kept_beside_it() -> None:
    """P15: in case the newest turns out to be torn."""
    record = a_running()
    for step in (5, 6, 7):
        record = commit_checkpoint(record, host="hosts/a", checkpoint=Checkpoint(attempt=1, step=step), now=NOW)
    assert (record.job.checkpoint.step, record.previous_checkpoint.step) == (7, 6)


def test_a_cancelled_job_takes_the_checkpoint_of_its_stop_and_nothing_after_it() -> None:
    """P21: what was trained is kept, and nothing goes on from it."""
    cancelling = request_cancel(a_running(), message="", now=NOW)
    assert cancelling is not None
    checkpoint = Checkpoint(attempt=1, step=7)
    record = commit_checkpoint(cancelling, host="hosts/a", checkpoint=checkpoint, now=NOW)
    assert (record.job.state, record.job.checkpoint.step) == (JOB_STATE_CANCELLING, 7)
    with pytest.raises(StaleAttempt):
        commit_checkpoint(cancelling, host=OTHER, checkpoint=checkpoint, now=NOW)
    over = confirm_cancelled(record, attempt=1, now=NOW)
    with pytest.raises(StaleAttempt):
        commit_checkpoint(over, host="hosts/a", checkpoint=Checkpoint(attempt=1, step=8), now=NOW)


@pytest.mark.parametrize("failure_class", [FAILURE_CLASS_USER_INPUT, FAILURE_CLASS_FATAL])
def test_a_failure_that_no_retry_can_help_ends_the_job(failure_class: "FailureClass.ValueType") -> None:
    """P19: a USER_INPUT failure is never retried."""
    record = fail_attempt(a_running(), attempt=1, failure=a_failure(failure_class), now=NOW)
    assert record.job.state == JOB_STATE_FAILED
    assert record.job.failure.reason == "CHILD_DIED"


def test_a_transient_failure_is_tried_again_after_a_wait() -> None:
    record = fail_attempt(a_running(), attempt=1, failure=a_failure(), now=NOW)
    assert record.job.state == JOB_STATE_QUEUED
    assert moment(record.not_before_time) == NOW + timedelta(seconds=1)
    claimed = claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    assert claimed.job.attempt == 2
    assert not claimed.HasField("not_before_time")


def test_transient_failures_are_counted_and_capped() -> None:
    """P19: at the cap the job is FAILED with ATTEMPTS_EXHAUSTED."""
    record = a_running(JobSpec(policies=Policies(retry_max=1)))
    record = fail_attempt(record, attempt=1, failure=a_failure(), now=NOW)
    record = claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    record = fail_attempt(record, attempt=2, failure=a_failure(), now=NOW)
    assert record.job.state == JOB_STATE_FAILED
    assert record.job.transitions[-1].reason == "ATTEMPTS_EXHAUSTED"
    assert [attempt.failure.reason for attempt in record.job.attempts] == ["CHILD_DIED", "CHILD_DIED"]


def test_host_loss_has_a_budget_of_its_own() -> None:
    """P19: losses do not eat the budget for failures; both are bounded."""
    record = a_running(JobSpec(policies=Policies(retry_max=0)))
    for attempt in range(1, LOSSES_MAX + 1):
        record = lose_attempt(record, attempt=attempt, now=NOW)
        assert record.job.state == JOB_STATE_QUEUED
        assert record.job.attempts[-1].outcome == ATTEMPT_OUTCOME_LOST
        record = claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    record = lose_attempt(record, attempt=LOSSES_MAX + 1, now=NOW)
    assert record.job.state == JOB_STATE_FAILED


def test_the_failure_or_loss_of_a_job_being_cancelled_cancels_it() -> None:
    record = request_cancel(a_running(), message="", now=NOW)
    assert record is not None
    assert fail_attempt(record, attempt=1, failure=a_failure(), now=NOW).job.state == JOB_STATE_CANCELLED
    assert lose_attempt(record, attempt=1, now=NOW).job.state == JOB_STATE_CANCELLED


def test_the_loss_or_transient_failure_of_a_job_being_paused_pauses_it_and_costs_no_retry() -> None:
    without_retries = JobSpec(policies=Policies(retry_max=0))
    lost = lose_attempt(a_pausing(without_retries), attempt=1, now=NOW)
    failed = fail_attempt(a_pausing(without_retries), attempt=1, failure=a_failure(), now=NOW)
    assert lost.job.state == failed.job.state == JOB_STATE_PAUSED
    assert (lost.num_losses, failed.num_transient_failures) == (0, 0)
    assert (lost.job.transitions[-1].reason, failed.job.transitions[-1].reason) == ("HOST_LOST", "CHILD_DIED")


@pytest.mark.parametrize("failure_class", [FAILURE_CLASS_USER_INPUT, FAILURE_CLASS_FATAL])
def test_a_failure_that_no_retry_can_help_ends_a_job_being_paused(failure_class: "FailureClass.ValueType") -> None:
    record = fail_attempt(a_pausing(), attempt=1, failure=a_failure(failure_class), now=NOW)
    assert record.job.state == JOB_STATE_FAILED


def test_a_result_wins_over_a_pause_and_the_history_says_so() -> None:
    """P8: what is finished is not thrown away for a pause."""
    record = commit_result(a_pausing(), host="hosts/a", result=a_result(), now=NOW)
    assert record.job.state == JOB_STATE_SUCCEEDED
    told = record.job.transitions[-1]
    assert (told.reason, told.message) == ("FINISHED_FIRST", "it finished before it could be paused")


def test_a_result_of_a_paused_attempt_is_stale() -> None:
    """P9: the next attempt starts anew, so nothing that the paused one still sends may count."""
    paused = confirm_paused(a_pausing(), attempt=1, now=NOW)
    with pytest.raises(StaleAttempt):
        commit_result(paused, host="hosts/a", result=a_result(), now=NOW)


def test_a_cancellation_wins_over_a_pause() -> None:
    """P21, in either order: while it is pausing, when the host says that it paused, and when it is paused."""
    cancelling = request_cancel(a_pausing(), message="enough", now=NOW)
    assert cancelling is not None
    assert cancelling.job.state == JOB_STATE_CANCELLING
    assert confirm_paused(cancelling, attempt=1, now=NOW).job.state == JOB_STATE_CANCELLED
    paused = request_cancel(confirm_paused(a_pausing(), attempt=1, now=NOW), message="enough", now=NOW)
    assert paused is not None
    assert paused.job.state == JOB_STATE_CANCELLED


def test_a_late_word_of_a_paused_attempt_does_not_touch_the_next_one() -> None:
    """P9: attempt 1 says that it paused when attempt 2 runs, and even when attempt 2 is to be paused itself."""
    again = request_resume(confirm_paused(a_pausing(), attempt=1, now=NOW), message="", now=NOW)
    assert again is not None
    second = claim(again, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    pausing = request_pause(second, message="", now=NOW)
    assert pausing is not None
    for record in (again, second, pausing):
        with pytest.raises(StaleAttempt):
            confirm_paused(record, attempt=1, now=NOW)


def test_a_pause_that_nobody_asked_for_is_not_confirmed() -> None:
    with pytest.raises(InvalidTransition):
        confirm_paused(a_running(), attempt=1, now=NOW)


def test_times_never_go_backwards() -> None:
    """P22: a wall clock that jumps back does not reorder a job's history."""
    record = claim(a_queued(), host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW - timedelta(days=1))
    assert moment(record.job.transitions[-1].occur_time) == NOW
    assert moment(record.job.start_time) == moment(record.job.attempts[0].start_time) == NOW


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["claim", "cancel", "confirm", "commit", "checkpoint", "fail", "lose", "pause", "resume", "confirm_pause"]
        ),
        st.integers(1, 3),
        st.integers(-5, 5),
    ),
    max_size=150,
)


WISHES = {"cancel": request_cancel, "pause": request_pause, "resume": request_resume}


def apply(record: JobRecord, operation: str, attempt: int, now: datetime) -> JobRecord:
    host = record.job.host or "hosts/a"
    match operation:
        case "claim":
            return claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=now)
        case "cancel" | "pause" | "resume":
            return WISHES[operation](record, message="", now=now) or record
        case "confirm_pause":
            return confirm_paused(record, attempt=attempt, now=now)
        case "confirm":
            return confirm_cancelled(record, attempt=attempt, now=now)
        case "commit":
            return commit_result(record, host=host, result=a_result(attempt=attempt), now=now)
        case "checkpoint":
            checkpoint = Checkpoint(attempt=attempt, step=1, bundle=Bundle(digest="sha256:" + "c" * 64))
            return commit_checkpoint(record, host=host, checkpoint=checkpoint, now=now)
        case "fail":
            return fail_attempt(record, attempt=attempt, failure=a_failure(), now=now)
        case _:
            return lose_attempt(record, attempt=attempt, now=now)


@settings(deadline=None)
@given(OPERATIONS)
def test_no_history_breaks_the_rules_of_a_record(operations: list[tuple[str, int, int]]) -> None:
    """Terminal states stay, attempts never repeat, numbers have no gap, times never go back, all is bounded."""
    record, now = a_queued(), NOW
    for operation, attempt, seconds in operations:
        now += timedelta(seconds=seconds)
        before = record
        try:
            record = apply(record, operation, attempt, now)
        except HeadwayError:
            continue
        if is_terminal(before.job.state):
            assert record is before
        assert record.job.attempt - before.job.attempt in {0, 1}
        numbers = [transition.number for transition in record.job.transitions]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == record.next_transition - 1
        times = [moment(transition.occur_time) for transition in record.job.transitions]
        assert times == sorted(times)
        assert len(record.job.transitions) <= TRANSITIONS_KEPT
        assert len(record.job.attempts) <= ATTEMPTS_KEPT
