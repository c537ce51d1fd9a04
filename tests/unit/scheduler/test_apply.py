from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.contract.host_facts import facts_of
from headway.contract.pausing import request_pause
from headway.contract.subjects import JOBS
from headway.runtime.bus_errors import MessageTooLarge
from headway.runtime.records import Stored
from headway.runtime.stream_records import StreamRecords
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Failure,
)
from headway.v1.records_pb2 import JobRecord
from scheduler.apply import Applier, next_record
from scheduler.plan import Action, CancelQueued, Claim, ConfirmCancelled, ConfirmPaused, FailAttempt, LoseAttempt, Plan
from scheduler.snapshot import AttemptEnd
from tests.unit.scheduler.stage import Stage, a_stage

ANTON = facts_of(a_host())


def a_claim(job_id: str) -> Claim:
    return Claim(job_id, ANTON, EXECUTION_MODE_LOCAL, "because")


def a_failure(job_id: str, failure_class: int = FAILURE_CLASS_TRANSIENT) -> FailAttempt:
    return FailAttempt(job_id, 1, AttemptEnd(job_id, 1, ATTEMPT_OUTCOME_FAILED, failure_class, "BROKEN", "it broke"))


async def test_a_claim_is_written_and_taken_in() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())

    assert await stage.applier.apply(Plan(claims=(a_claim(job_id),)))

    job = await stage.job(job_id)
    assert (job.state, job.attempt, job.host) == (JOB_STATE_RUNNING, 1, "hosts/anton")
    assert job.fallback_reason == "because"
    assert [held.key for held in stage.view.snapshot().held] == [(job_id, 1)]
    assert stage.view.snapshot().lease_ends == {(job_id, 1): 15.0}


async def test_a_change_that_loses_the_race_is_dropped_and_the_winner_is_taken_in() -> None:
    stage = await a_stage()
    record = a_record()
    job_id = await stage.store(record)
    await stage.records.change(job_id, lambda r: transitions.request_cancel(r, message="", now=A_MOMENT))

    assert await stage.applier.apply(Plan(claims=(a_claim(job_id),)))

    assert (await stage.job(job_id)).state == JOB_STATE_CANCELLED
    assert stage.view.jobs.is_settled(job_id)


async def test_a_claim_of_a_record_that_was_deleted_meanwhile_is_dropped() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())
    await stage.records.delete(job_id)

    assert await stage.applier.apply(Plan(claims=(a_claim(job_id),)))
    assert await stage.records.find(job_id) is None


async def test_a_job_that_the_view_does_not_know_is_left_alone() -> None:
    stage = await a_stage()

    assert await stage.applier.apply(Plan(claims=(a_claim("j" + "a" * 25),)))


async def test_a_store_that_does_not_answer_leaves_the_plan_for_later() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())
    stage.bus.go_away()

    assert not await stage.applier.apply(Plan(claims=(a_claim(job_id),)))
    assert len(stage.view.snapshot().queued) == 1

    stage.bus.come_back()
    assert await stage.applier.apply(Plan(claims=(a_claim(job_id),)))
    assert (await stage.job(job_id)).attempt == 1


async def test_who_leads_no_longer_changes_nothing() -> None:
    """F15: asked right before the write, however old the plan is."""
    stage = await a_stage()
    job_id = await stage.store(a_record())
    stage.is_leading = False

    assert not await stage.applier.apply(Plan(claims=(a_claim(job_id),)))
    assert (await stage.job(job_id)).state == JOB_STATE_QUEUED


async def test_a_lost_answer_does_not_claim_twice() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())
    stage.bus.lose_answers(1)

    assert await stage.applier.apply(Plan(claims=(a_claim(job_id),)))
    assert (await stage.job(job_id)).attempt == 1


async def test_a_winner_that_cannot_be_read_is_tried_again() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())
    await stage.records.change(job_id, lambda r: transitions.request_cancel(r, message="", now=A_MOMENT))
    applier = Applier(_GoesAwayAfterAWrite(stage), stage.view, stage.clock, clean=str, is_leading=lambda: True)

    assert not await applier.apply(Plan(claims=(a_claim(job_id),)))


class _GoesAwayAfterAWrite(StreamRecords[JobRecord]):
    """The store answers one write, and then nothing."""

    def __init__(self, stage: Stage) -> None:
        self._inner = stage.records
        self._bus = stage.bus

    async def update(self, key: str, value: JobRecord, revision: int, *, ttl: timedelta | None = None) -> int:
        try:
            return await self._inner.update(key, value, revision, ttl=ttl)
        finally:
            self._bus.go_away()

    async def find(self, key: str) -> Stored[JobRecord] | None:
        return await self._inner.find(key)


class _Overfull(StreamRecords[JobRecord]):
    """A store that holds no record as large as these."""

    def __init__(self) -> None:
        pass

    async def update(self, key: str, value: JobRecord, revision: int, *, ttl: timedelta | None = None) -> int:
        raise MessageTooLarge("the record is too large")


async def test_a_record_that_has_grown_too_large_stops_nobody() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())
    applier = Applier(_Overfull(), stage.view, stage.clock, clean=str, is_leading=lambda: True)

    assert not await applier.apply(Plan(claims=(a_claim(job_id),)))


async def test_what_the_record_does_not_allow_is_not_written() -> None:
    stage = await a_stage()
    job_id = await stage.store(a_record())

    assert not await stage.applier.apply(Plan(endings=(ConfirmCancelled(job_id, 1),)))
    assert (await stage.job(job_id)).state == JOB_STATE_QUEUED


async def test_endings_come_before_claims() -> None:
    stage = await a_stage()
    ended, queued = await stage.store(a_claimed_record()), await stage.store(a_record())
    plan = Plan((LoseAttempt(ended, 1, "HOST_LOST", "gone"),), (a_claim(queued),))

    await stage.applier.apply(plan)

    messages = [message.key for message in await stage.messages(JOBS)]
    assert messages == [ended, queued], "each was written once more, in this order"


def test_a_cancelled_job_is_cancelled_once() -> None:
    cancelled = transitions.request_cancel(a_record(), message="", now=A_MOMENT)
    assert cancelled is not None

    assert next_record(cancelled, CancelQueued("j"), now=A_MOMENT, clean=str) is None


@pytest.mark.parametrize(
    ("record", "action", "state", "reason"),
    [
        (a_record(), a_claim("j"), JOB_STATE_RUNNING, ""),
        (a_record(), CancelQueued("j"), JOB_STATE_CANCELLED, "CANCEL_REQUESTED"),
        (a_claimed_record(), a_failure("j"), JOB_STATE_QUEUED, "BROKEN"),
        (a_claimed_record(), a_failure("j", FAILURE_CLASS_USER_INPUT), JOB_STATE_FAILED, "BROKEN"),
        (a_claimed_record(), LoseAttempt("j", 1, "HOST_RESTARTED", "anew"), JOB_STATE_QUEUED, "HOST_RESTARTED"),
    ],
)
def test_an_action_is_one_transition(record: JobRecord, action: Action, state: int, reason: str) -> None:
    changed = next_record(record, action, now=A_MOMENT, clean=str)

    assert changed is not None
    assert (changed.job.state, changed.job.transitions[-1].reason) == (state, reason)
    assert len(changed.job.transitions) == len(record.job.transitions) + 1


def test_a_cancellation_is_confirmed() -> None:
    cancelling = transitions.request_cancel(a_claimed_record(), message="enough", now=A_MOMENT)
    assert cancelling is not None
    changed = next_record(cancelling, ConfirmCancelled("j", 1), now=A_MOMENT, clean=str)

    assert changed is not None
    assert changed.job.state == JOB_STATE_CANCELLED
    assert changed.job.transitions[-1].message == "enough"


def test_a_pause_is_confirmed() -> None:
    pausing = request_pause(a_claimed_record(), message="for the night", now=A_MOMENT)
    assert pausing is not None
    changed = next_record(pausing, ConfirmPaused("j", 1), now=A_MOMENT, clean=str)

    assert changed is not None
    assert changed.job.state == JOB_STATE_PAUSED
    assert changed.job.transitions[-1].message == "for the night"


async def test_a_cancellation_that_comes_between_a_pass_and_its_writes_wins_over_the_pause() -> None:
    """P21: the pass saw a host that had paused; by the time of the write the caller has cancelled."""
    stage = await a_stage()
    pausing = request_pause(a_claimed_record(), message="", now=A_MOMENT)
    assert pausing is not None
    job_id = await stage.store(pausing)
    plan = Plan(endings=(ConfirmPaused(job_id, 1),))
    await stage.records.change(job_id, lambda r: transitions.request_cancel(r, message="", now=A_MOMENT))

    assert await stage.applier.apply(plan), "the write loses the race, and the winner is taken in"
    assert (await stage.job(job_id)).state == JOB_STATE_CANCELLING
    assert await stage.applier.apply(plan), "the same plan once more, now on what the caller wants"
    assert (await stage.job(job_id)).state == JOB_STATE_CANCELLED


def test_a_host_s_words_are_cleaned_before_they_are_recorded() -> None:
    changed = next_record(a_claimed_record(), a_failure("j"), now=A_MOMENT, clean=lambda _: "clean")

    assert changed is not None
    assert changed.job.failure == Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="BROKEN", message="clean")
