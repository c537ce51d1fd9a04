from datetime import timedelta

from headway.contract import transitions
from headway.contract.pausing import request_pause, request_resume
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record, a_spec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST
from headway.v1.jobs_pb2 import DESIRED_STATE_CANCEL, FAILURE_CLASS_USER_INPUT, Failure, Job
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from scheduler.explain import explain_queued, explain_settled
from scheduler.snapshot import HostView, QueuedJob, Snapshot
from tests.unit.scheduler.views import a_demand, a_held, a_queued, a_view


def explain(
    *hosts: HostView, queued: QueuedJob | None = None, job: Job | None = None, ahead: int = 0, busy: int = 0
) -> ExplainJobResponse:
    held = [a_held(f"held{at}") for at in range(busy)]
    return explain_queued(
        job if job is not None else a_record(a_spec(priority=2)).job,
        queued if queued is not None else a_queued(),
        ahead,
        Snapshot(held=held, hosts=hosts),
        now=A_MOMENT + timedelta(hours=1),
        now_seconds=50.0,
    )


def test_without_hosts_it_says_so() -> None:
    response = explain()

    assert response.summary == "QUEUED: no trainer host is up; it runs in mode local as soon as one is"
    assert list(response.verdicts) == []


def test_a_host_that_could_take_it_is_about_to() -> None:
    response = explain(a_view())

    assert response.summary == "QUEUED: it is about to be given to a host"
    assert response.verdicts[0].suitable


def test_every_refusal_is_told_with_its_reason() -> None:
    response = explain(
        a_view(a_host("anton")),
        a_view(a_host("berta", mode=EXECUTION_MODE_HOST)),
        a_view(a_host("carl", kinds=())),
        a_view(a_host("dora", draining=True)),
        busy=2,
        ahead=3,
    )

    assert [(verdict.host, verdict.reason) for verdict in response.verdicts] == [
        ("hosts/anton", "NO_FREE_SLOT"),
        ("hosts/berta", "WRONG_MODE"),
        ("hosts/carl", "RECIPE_UNAVAILABLE"),
        ("hosts/dora", "DRAINING"),
    ]
    assert all(verdict.message for verdict in response.verdicts)
    assert "3 ahead" in response.summary
    assert "hosts/anton: all of its 2 slots are in use" in response.summary
    assert "and 1 more" in response.summary


def test_hosts_that_will_never_suit_are_told_from_those_that_are_busy_f16() -> None:
    never = explain(a_view(a_host("carl", kinds=())), ahead=3)
    busy = explain(a_view(a_host("anton")), a_view(a_host("carl", kinds=())), busy=2, ahead=3)

    assert never.summary.startswith(
        "QUEUED: none of the trainer hosts that are up can take it, however idle (hosts/carl:"
    )
    assert busy.summary.startswith(
        "QUEUED: every trainer host that suits it is busy, 3 ahead by priority and age (hosts/a"
    )


def test_priority_and_place_are_told() -> None:
    response = explain(ahead=7)

    assert response.effective_priority == 3.0
    assert response.num_ahead == 7


def test_a_required_gpu_that_nobody_has_is_told() -> None:
    response = explain(a_view(), queued=a_queued(demand=a_demand(num_gpus=1)))

    assert "requires a GPU" in response.summary
    assert response.verdicts[0].reason == "NO_GPU"


def test_a_retry_says_when_and_why() -> None:
    job = a_record().job
    job.failure.message = "the child was killed"

    response = explain(a_view(), queued=a_queued(ready_at=54.0), job=job)

    assert response.summary == "QUEUED: its next attempt starts in 4 s, after: the child was killed"


def test_a_wish_to_cancel_is_told() -> None:
    assert "cancelled" in explain(a_view(), queued=a_queued(desired=DESIRED_STATE_CANCEL)).summary


def settled(job: Job) -> str:
    return explain_settled(job, now=A_MOMENT).summary


def test_a_running_job_says_where() -> None:
    assert settled(a_claimed_record().job) == "RUNNING: attempt 1 is held by hosts/anton in mode local"


def test_a_fallback_is_told_while_it_runs() -> None:
    job = a_claimed_record().job
    job.fallback_reason = "no remote host was up"

    assert settled(job).endswith("in mode local; no remote host was up")


def test_a_job_that_is_over_says_why() -> None:
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="COLUMNS", message="no such column")
    failed = transitions.fail_attempt(a_claimed_record(), attempt=1, failure=failure, now=A_MOMENT)
    cancelled = transitions.request_cancel(a_record(), message="", now=A_MOMENT)
    assert cancelled is not None

    assert settled(failed.job).startswith("FAILED: COLUMNS: no such column; it was not tried again")
    assert settled(cancelled.job) == "CANCELLED: it had not begun"
    assert explain_settled(failed.job, now=A_MOMENT).effective_priority == 0.0


def test_a_paused_job_waits_to_be_resumed_and_says_what_it_keeps() -> None:
    paused = request_pause(a_record(a_spec(priority=5)), message="for the night", now=A_MOMENT)
    assert paused is not None

    assert settled(paused.job) == "PAUSED: it waits to be resumed (for the night); it had not begun"
    assert explain_settled(paused.job, now=A_MOMENT).effective_priority == 5.0


def test_a_pausing_job_says_what_it_waits_for_and_what_comes_then() -> None:
    pausing = request_pause(a_claimed_record(), message="", now=A_MOMENT)
    assert pausing is not None
    resumed = request_resume(pausing, message="", now=A_MOMENT)
    assert resumed is not None

    assert settled(pausing.job).endswith("in mode local; once its host has stopped it, it is paused")
    assert settled(resumed.job).endswith("; once its host has stopped it, it is queued again, since it was resumed")
