"""Pass by pass: what is, and what should therefore change."""

from dataclasses import replace

import pytest

from headway.contract.host_facts import facts_of
from headway.contract.kinds import INFER, TABULAR_TRAIN
from headway.testing.builders import a_host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_PREEMPTED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    DESIRED_STATE_CANCEL,
    DESIRED_STATE_PAUSE,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSING,
    JOB_STATE_RUNNING,
    AttemptOutcome,
    JobState,
)
from scheduler.plan import (
    Action,
    CancelQueued,
    Claim,
    ConfirmCancelled,
    ConfirmPaused,
    FailAttempt,
    LoseAttempt,
    Plan,
    UseUpRunTime,
)
from scheduler.reconcile import MAX_CLAIMS, MAX_ENDINGS, next_look, reconcile
from scheduler.snapshot import AttemptEnd, HostView, QueuedJob, Snapshot
from tests.unit.scheduler.views import a_demand, a_held, a_queued, a_view, an_end

NOW = 100.0


def test_nothing_to_do_is_an_empty_plan() -> None:
    assert reconcile(Snapshot(), NOW) == Plan()


def test_a_queued_job_is_claimed_for_a_host_that_suits() -> None:
    plan = reconcile(Snapshot(queued=[a_queued()], hosts=[a_view()]), NOW)

    assert plan.claims == (Claim("j1", facts_of(a_host()), EXECUTION_MODE_LOCAL, ""),)


def test_a_fallback_is_part_of_the_claim() -> None:
    wish = a_demand(EXECUTION_MODE_HOST)
    (claim,) = reconcile(Snapshot(queued=[a_queued(demand=wish)], hosts=[a_view()]), NOW).claims

    assert claim.mode == EXECUTION_MODE_LOCAL
    assert "host was asked for" in claim.fallback_reason


def test_the_platform_s_mode_decides_for_a_job_that_leaves_it_open() -> None:
    remote = a_host("remote", mode=EXECUTION_MODE_HOST)
    snapshot = Snapshot(queued=[a_queued()], hosts=[a_view(), a_view(remote)], default_mode=EXECUTION_MODE_HOST)

    assert [claim.host.name for claim in reconcile(snapshot, NOW).claims] == ["hosts/remote"]


def test_the_queue_s_order_decides_who_goes_first() -> None:
    queue = [a_queued("first", at=1.0), a_queued("second", at=2.0)]
    plan = reconcile(Snapshot(queued=queue, hosts=[a_view(a_host(num_slots=1))]), NOW)

    assert [claim.job_id for claim in plan.claims] == ["first"]


def test_a_job_that_fits_nowhere_does_not_hold_up_the_next() -> None:
    queue = [a_queued("big", a_demand(memory_mib=10**6), at=1.0), a_queued("small", at=2.0)]

    assert [claim.job_id for claim in reconcile(Snapshot(queued=queue, hosts=[a_view()]), NOW).claims] == ["small"]


def test_a_smaller_demand_is_tried_after_a_larger_one_was_refused() -> None:
    half = a_held("held", demand=a_demand(memory_mib=8_000))
    queue = [a_queued("big", a_demand(memory_mib=9_000), at=1.0), a_queued("small", a_demand(memory_mib=8_000), at=2.0)]
    plan = reconcile(Snapshot(queued=queue, held=[half], hosts=[a_view()], lease_ends={half.key: 200.0}), NOW)

    assert [claim.job_id for claim in plan.claims] == ["small"]


def test_a_larger_demand_of_the_same_kind_is_not_tried_again() -> None:
    queue = [a_queued(f"j{at}", a_demand(memory_mib=10**6 + at), at=at) for at in range(3)]

    assert reconcile(Snapshot(queued=queue, hosts=[a_view()]), NOW).claims == ()


def test_a_retry_waits_for_its_time() -> None:
    snapshot = Snapshot(queued=[a_queued(ready_at=NOW + 0.1)], hosts=[a_view()])

    assert reconcile(snapshot, NOW).claims == ()
    assert next_look(snapshot, NOW) == NOW + 0.1
    assert len(reconcile(snapshot, NOW + 0.1).claims) == 1


def test_a_job_that_requires_a_gpu_waits_while_nobody_has_one() -> None:
    snapshot = Snapshot(queued=[a_queued(demand=a_demand(num_gpus=1)), a_queued("j2", at=1.0)], hosts=[a_view()])

    assert [claim.job_id for claim in reconcile(snapshot, NOW).claims] == ["j2"]


def test_a_paused_or_cancelled_wish_is_not_claimed() -> None:
    queue = [a_queued("p", desired=DESIRED_STATE_PAUSE), a_queued("c", desired=DESIRED_STATE_CANCEL)]
    plan = reconcile(Snapshot(queued=queue, hosts=[a_view()]), NOW)

    assert plan == Plan(endings=(CancelQueued("c"),))


def test_a_plan_is_bounded_and_the_rest_comes_with_the_next_pass() -> None:
    queue = [a_queued(f"j{at}", at=at) for at in range(MAX_CLAIMS + 5)]
    hosts = [a_view(a_host(f"h{at}", num_slots=64)) for at in range(2)]
    held = [a_held(f"h{at}") for at in range(MAX_ENDINGS + 5)]
    plan = reconcile(Snapshot(queued=queue, held=held, hosts=hosts, lease_ends={job.key: 0.0 for job in held}), NOW)

    assert len(plan.claims) == MAX_CLAIMS
    assert len(plan.endings) == MAX_ENDINGS


def held_with(view: HostView | None = None, *, lease_end: float = NOW + 1) -> Snapshot:
    job = a_held()
    hosts = [view] if view is not None else []
    return Snapshot(held=[job], hosts=hosts, lease_ends={job.key: lease_end})


def test_an_attempt_whose_lease_is_live_is_left_alone() -> None:
    assert reconcile(held_with(), NOW) == Plan()
    assert reconcile(held_with(a_view(reported=(("j1", 1),))), NOW) == Plan()


def test_an_attempt_is_lost_when_its_lease_ends() -> None:
    (ending,) = reconcile(held_with(lease_end=NOW), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert (ending.job_id, ending.attempt, ending.reason) == ("j1", 1, "HOST_LOST")


def test_an_attempt_without_a_lease_is_not_reaped_for_it() -> None:
    assert reconcile(Snapshot(held=[a_held()]), NOW) == Plan()


def test_an_attempt_that_failed_is_recorded_with_its_failure() -> None:
    assert reconcile(held_with(a_view(ended=(an_end(),))), NOW).endings == (FailAttempt("j1", 1, an_end()),)


def test_a_finished_attempt_waits_for_its_commit() -> None:
    """The gateway's commit ends the job; the scheduler must not take the result's lease away meanwhile."""
    finished = an_end(outcome=ATTEMPT_OUTCOME_SUCCEEDED)

    assert reconcile(held_with(a_view(ended=(finished,)), lease_end=NOW - 1), NOW) == Plan()


@pytest.mark.parametrize(
    "outcome",
    [ATTEMPT_OUTCOME_CANCELLED, ATTEMPT_OUTCOME_PAUSED, ATTEMPT_OUTCOME_PREEMPTED, ATTEMPT_OUTCOME_LOST],
)
def test_an_attempt_that_its_host_gave_up_unasked_goes_elsewhere(outcome: "AttemptOutcome.ValueType") -> None:
    (ending,) = reconcile(held_with(a_view(ended=(an_end(outcome=outcome),))), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert ending.reason == "HOST_GAVE_UP"


@pytest.mark.parametrize("reason", ["HOST_DRAINING", "HOST_STOPPED", "HOST_RESTARTED", "ORPHANED"])
def test_an_attempt_that_its_host_gave_back_for_a_known_reason_says_so_in_our_words(reason: str) -> None:
    end = AttemptEnd("j1", 1, ATTEMPT_OUTCOME_LOST, 2, reason, "in /secret/path")
    (ending,) = reconcile(held_with(a_view(ended=(end,))), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert ending.reason == reason
    assert ending.message.startswith("hosts/anton ")
    assert "secret" not in ending.message


def test_an_attempt_whose_run_time_is_used_up_pauses_its_job_with_what_it_took() -> None:
    end = AttemptEnd("j1", 1, ATTEMPT_OUTCOME_PAUSED, reason="MAX_RUNTIME")
    snapshot = replace(held_with(a_view(ended=(end,))), run_seconds={("j1", 1): 60.5})

    assert reconcile(snapshot, NOW).endings == (UseUpRunTime("j1", 1, 60.5),)


def test_every_ending_says_how_long_the_attempt_was_at_work() -> None:
    ran = {("j1", 1): 12.0}
    failed, paused = an_end(), AttemptEnd("j1", 1, ATTEMPT_OUTCOME_PAUSED, step=7)

    def ending(end: AttemptEnd | None = None, state: "JobState.ValueType" = JOB_STATE_RUNNING) -> Action:
        view = a_view(ended=(end,)) if end is not None else a_view(connected=False)
        job = a_held(state=state)
        snapshot = Snapshot(held=[job], hosts=[view], lease_ends={job.key: NOW}, run_seconds=ran)
        return reconcile(snapshot, NOW).endings[0]

    assert ending(failed) == FailAttempt("j1", 1, failed, 12.0)
    assert ending(paused, JOB_STATE_PAUSING) == ConfirmPaused("j1", 1, 12.0)
    assert ending(paused, JOB_STATE_CANCELLING) == ConfirmCancelled("j1", 1, 12.0, 7)
    lost = ending()
    assert isinstance(lost, LoseAttempt)
    assert lost.ran_seconds == 12.0


def test_the_end_of_an_older_attempt_ends_nothing() -> None:
    job = a_held(attempt=2)
    snapshot = Snapshot(held=[job], hosts=[a_view(ended=(an_end(attempt=1),))], lease_ends={job.key: NOW + 1})

    assert reconcile(snapshot, NOW) == Plan()


def test_another_host_s_word_ends_nothing() -> None:
    job = a_held(host="hosts/berta")
    snapshot = Snapshot(held=[job], hosts=[a_view(ended=(an_end(),))], lease_ends={job.key: NOW + 1})

    assert reconcile(snapshot, NOW) == Plan()


def test_an_attempt_that_a_restarted_host_does_not_know_is_lost_at_once() -> None:
    (ending,) = reconcile(held_with(a_view(forgotten=(("j1", 1),))), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert ending.reason == "HOST_RESTARTED"


def cancelling(view: HostView) -> Snapshot:
    job = a_held(state=JOB_STATE_CANCELLING)
    return Snapshot(held=[job], hosts=[view], lease_ends={job.key: NOW + 1})


@pytest.mark.parametrize(
    "outcome", [ATTEMPT_OUTCOME_CANCELLED, ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_SUCCEEDED, ATTEMPT_OUTCOME_PAUSED]
)
def test_a_cancellation_is_confirmed_however_the_attempt_ended(outcome: "AttemptOutcome.ValueType") -> None:
    assert reconcile(cancelling(a_view(ended=(an_end(outcome=outcome),))), NOW).endings == (ConfirmCancelled("j1", 1),)


def test_a_cancellation_waits_for_the_host_that_runs_the_attempt() -> None:
    assert reconcile(cancelling(a_view(reported=(("j1", 1),))), NOW) == Plan()


def test_a_cancellation_is_confirmed_when_the_host_does_not_run_the_attempt() -> None:
    assert reconcile(cancelling(a_view()), NOW).endings == (ConfirmCancelled("j1", 1),)


def test_a_cancellation_waits_for_a_host_whose_stream_is_closed() -> None:
    assert reconcile(cancelling(a_view(connected=False)), NOW) == Plan()


def test_a_cancellation_of_a_lost_host_s_attempt_ends_with_the_lease() -> None:
    job = a_held(state=JOB_STATE_CANCELLING)
    (ending,) = reconcile(Snapshot(held=[job], lease_ends={job.key: NOW}), NOW).endings

    assert isinstance(ending, LoseAttempt)


def pausing(view: HostView) -> Snapshot:
    job = a_held(state=JOB_STATE_PAUSING)
    return Snapshot(held=[job], hosts=[view], lease_ends={job.key: NOW + 1})


def test_a_pause_is_confirmed_when_the_host_says_that_it_paused() -> None:
    paused = a_view(ended=(an_end(outcome=ATTEMPT_OUTCOME_PAUSED),))

    assert reconcile(pausing(paused), NOW).endings == (ConfirmPaused("j1", 1),)


def test_a_pause_waits_for_the_host_that_runs_the_attempt_and_for_one_whose_stream_is_closed() -> None:
    assert reconcile(pausing(a_view(reported=(("j1", 1),))), NOW) == Plan()
    assert reconcile(pausing(a_view(connected=False)), NOW) == Plan()


def test_a_pause_is_confirmed_when_the_host_does_not_run_the_attempt() -> None:
    assert reconcile(pausing(a_view()), NOW).endings == (ConfirmPaused("j1", 1),)


def test_a_result_wins_over_a_pause() -> None:
    finished = a_view(ended=(an_end(outcome=ATTEMPT_OUTCOME_SUCCEEDED),))

    assert reconcile(pausing(finished), NOW) == Plan()


def test_a_failure_while_pausing_is_recorded_as_one() -> None:
    assert reconcile(pausing(a_view(ended=(an_end(),))), NOW).endings == (FailAttempt("j1", 1, an_end()),)


@pytest.mark.parametrize("outcome", [ATTEMPT_OUTCOME_CANCELLED, ATTEMPT_OUTCOME_PREEMPTED, ATTEMPT_OUTCOME_LOST])
def test_an_attempt_that_ended_otherwise_while_pausing_says_how(outcome: "AttemptOutcome.ValueType") -> None:
    (ending,) = reconcile(pausing(a_view(ended=(an_end(outcome=outcome),))), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert ending.reason == "HOST_GAVE_UP"


def test_a_pausing_attempt_that_a_restarted_host_does_not_know_is_lost_as_such() -> None:
    (ending,) = reconcile(pausing(a_view(forgotten=(("j1", 1),))), NOW).endings

    assert isinstance(ending, LoseAttempt)
    assert ending.reason == "HOST_RESTARTED"


def test_the_pause_of_an_older_attempt_pauses_nothing() -> None:
    """P9: a late report of attempt 1, while attempt 2 is to be paused and runs."""
    job = a_held(attempt=2, state=JOB_STATE_PAUSING)
    late = a_view(ended=(an_end(attempt=1, outcome=ATTEMPT_OUTCOME_PAUSED),), reported=(("j1", 1), ("j1", 2)))
    snapshot = Snapshot(held=[job], hosts=[late], lease_ends={job.key: NOW + 1})

    assert reconcile(snapshot, NOW) == Plan()


def test_a_pausing_attempt_is_lost_with_its_lease_like_any_other() -> None:
    job = a_held(state=JOB_STATE_PAUSING)
    (ending,) = reconcile(Snapshot(held=[job], lease_ends={job.key: NOW}), NOW).endings

    assert isinstance(ending, LoseAttempt)


def test_a_place_is_given_away_in_the_pass_after_its_attempt_ended() -> None:
    """The write that ends an attempt may lose its race; its slot is free only once the write is acknowledged."""
    full = a_view(a_host(num_slots=1), ended=(an_end(),))
    job = a_held()
    snapshot = Snapshot(queued=[a_queued("next")], held=[job], hosts=[full], lease_ends={job.key: NOW + 1})

    assert reconcile(snapshot, NOW).claims == ()


def test_the_next_look_is_at_the_next_end_of_a_lease() -> None:
    first, second = a_held("j1"), a_held("j2")
    ends = {first.key: NOW + 5, second.key: NOW + 2}

    assert next_look(Snapshot(held=[first, second], lease_ends=ends), NOW) == NOW + 2


def test_what_is_past_brings_no_next_look() -> None:
    job = a_held()

    assert next_look(Snapshot(queued=[a_queued()], held=[job], lease_ends={job.key: NOW}), NOW) is None


def an_answer_for(job_id: str, *, at: float = 0.0) -> QueuedJob:
    return a_queued(job_id, a_demand(kind=INFER), at=at)


def test_predictions_go_ahead_of_training_and_take_no_slot() -> None:
    host = a_view(a_host(num_slots=1, kinds=(TABULAR_TRAIN, INFER)))
    snapshot = Snapshot(queued=[a_queued("t1"), a_queued("t2")], queued_inference=[an_answer_for("p1")], hosts=[host])

    assert [claim.job_id for claim in reconcile(snapshot, NOW).claims] == ["p1", "t1"]


def test_a_full_queue_of_training_keeps_no_prediction_waiting() -> None:
    host = a_view(a_host(num_slots=1, kinds=(TABULAR_TRAIN, INFER)), reported=(("t0", 1),))
    held = [a_held("t0")]
    snapshot = Snapshot(
        queued=[a_queued(f"t{at}") for at in range(1, 5)],
        queued_inference=[an_answer_for("p1"), an_answer_for("p2", at=1.0)],
        held=held,
        hosts=[host],
        lease_ends={held[0].key: NOW + 10},
    )

    assert [claim.job_id for claim in reconcile(snapshot, NOW).claims] == ["p1"]


def test_a_prediction_goes_to_whatever_host_can_answer_it() -> None:
    """A cluster without a local host answers too."""
    far = a_view(a_host("far", mode=EXECUTION_MODE_HOST, kinds=(INFER,)))

    (claim,) = reconcile(Snapshot(queued_inference=[an_answer_for("p1")], hosts=[far]), NOW).claims

    assert (claim.host.name, claim.mode, claim.fallback_reason) == ("hosts/far", EXECUTION_MODE_HOST, "")


def test_a_waiting_prediction_that_nobody_wants_is_cancelled_and_one_that_waits_for_its_retry_is_looked_for() -> None:
    unwanted = replace(an_answer_for("p1"), desired=DESIRED_STATE_CANCEL)
    later = replace(an_answer_for("p2"), ready_at=NOW + 3)
    snapshot = Snapshot(queued_inference=[unwanted, later])

    assert reconcile(snapshot, NOW).endings == (CancelQueued("p1"),)
    assert next_look(snapshot, NOW) == NOW + 3
