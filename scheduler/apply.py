"""Carries a plan out: each change is one compare-and-set of one record, and is taken into the view when acknowledged.

A change that loses the race is dropped: the winner's record is read and the next pass decides anew. A change whose
outcome is unknown is dropped too: the bucket's feed tells what became of it. So no write is ever repeated blindly.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from headway.contract import transitions
from headway.contract.errors import HeadwayError
from headway.runtime.bus_errors import MessageTooLarge
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoint
from headway.runtime.logs import get_logger
from headway.runtime.records import Conflict, Records
from headway.v1.jobs_pb2 import Failure, FailureClass
from headway.v1.records_pb2 import JobRecord
from scheduler.cluster_view import ClusterView, Moment
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

_log = get_logger(__name__)
_AT_ONCE = 32


class Applier:
    """Writes plans."""

    def __init__(
        self,
        records: Records[JobRecord],
        view: ClusterView,
        clock: Clock,
        *,
        clean: Callable[[str], str],
        is_leading: Callable[[], bool],
    ) -> None:
        """Name the bucket.

        Args:
            records: the bucket `jobs`.
            view: where acknowledged changes are taken in.
            clock: for the times in the records.
            clean: takes secrets and paths out of a host's words before they are recorded.
            is_leading: asked right before each write: after a freeze a plan may be another leader's to make.
        """
        self._records = records
        self._view = view
        self._clock = clock
        self._clean = clean
        self._is_leading = is_leading

    async def apply(self, plan: Plan) -> bool:
        """Carry the plan out, many writes at a time.

        Returns:
            Whether every change was made or found to be beside the point; False when some must be tried again later.
        """
        at_once = asyncio.Semaphore(_AT_ONCE)
        outcomes: list[bool] = []

        async def run(action: Action) -> None:
            async with at_once:
                outcomes.append(await self._apply_one(action))

        for part in (plan.endings, plan.claims):
            async with asyncio.TaskGroup() as group:
                for action in part:
                    group.create_task(run(action))
        return all(outcomes)

    async def _apply_one(self, action: Action) -> bool:
        live = self._view.jobs.find(action.job_id)
        if live is None:
            return True
        try:
            changed = next_record(live.record, action, now=self._clock.now(), clean=self._clean)
            if changed is None:
                return True
            if not self._is_leading():
                _log.warning("change not made: another scheduler may lead by now", job=action.job_id)
                return False
            if isinstance(action, Claim):
                failpoint("lease.before_commit")
            revision = await self._records.update(action.job_id, changed, live.revision)
            if isinstance(action, Claim):
                failpoint("lease.after_commit")
        except Conflict:
            return await self._catch_up(action.job_id)
        except (HeadwayError, MessageTooLarge) as error:
            _log.warning("change not made", job=action.job_id, change=type(action).__name__, why=str(error))
            return False
        self._view.put_job(action.job_id, revision, changed, self._now())
        _log.info("job changed", job=action.job_id, change=type(action).__name__, attempt=changed.job.attempt)
        return True

    async def _catch_up(self, job_id: str) -> bool:
        """Read what somebody else wrote; its echo may still be on its way."""
        try:
            stored = await self._records.find(job_id)
        except HeadwayError as error:
            _log.warning("record not read", job=job_id, why=error.message)
            return False
        if stored is not None:
            self._view.put_job(job_id, stored.revision, stored.value, self._now())
        return True

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())


def next_record(record: JobRecord, action: Action, *, now: datetime, clean: Callable[[str], str]) -> JobRecord | None:
    """The record after an action; None when there is nothing to change.

    Raises:
        HeadwayError: the record does not allow it.
    """
    match action:
        case Claim():
            return transitions.claim(
                record, host=action.host, mode=action.mode, fallback_reason=action.fallback_reason, now=now
            )
        case CancelQueued():
            return transitions.request_cancel(record, message="", now=now)
        case _:
            return _after_end(record, action, now, clean)


def _after_end(
    record: JobRecord,
    action: ConfirmCancelled | ConfirmPaused | UseUpRunTime | FailAttempt | LoseAttempt,
    now: datetime,
    clean: Callable[[str], str],
) -> JobRecord:
    attempt, ran = action.attempt, timedelta(seconds=action.ran_seconds)
    match action:
        case ConfirmCancelled():
            return transitions.confirm_cancelled(record, attempt=attempt, now=now, ran=ran, step=action.step)
        case ConfirmPaused():
            return transitions.confirm_paused(record, attempt=attempt, now=now, ran=ran)
        case UseUpRunTime():
            return transitions.use_up_run_time(record, attempt=attempt, now=now, ran=ran)
        case FailAttempt():
            failure = Failure(
                failure_class=FailureClass.ValueType(action.end.failure_class),
                reason=action.end.reason,
                message=clean(action.end.message),
            )
            return transitions.fail_attempt(record, attempt=attempt, failure=failure, now=now, ran=ran)
        case LoseAttempt():
            return transitions.lose_attempt(
                record, attempt=attempt, now=now, reason=action.reason, message=action.message, ran=ran
            )
