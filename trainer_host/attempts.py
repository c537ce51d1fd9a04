"""The attempts that a host holds, as the scheduler should hear of them.

An attempt is in the table from its order until the scheduler has released it. Whatever the scheduler must hear at once
sets `changed`; progress does not, it travels with the next message.
"""

import asyncio
from collections import OrderedDict

from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_UNSPECIFIED,
    ATTEMPT_PHASE_STARTING,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_TRANSIENT,
    AttemptOutcome,
    AttemptPhase,
    Failure,
    Progress,
)
from headway.v1.scheduler_service_pb2 import AttemptReport
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempt_store import AttemptStore

_ENDS_KEPT = 256


class AttemptTable:
    """Reports by attempt. Lives in one event loop; the reports it gives out are copies."""

    def __init__(self, store: AttemptStore, clock: Clock) -> None:
        self.changed = asyncio.Event()
        self._store = store
        self._clock = clock
        self._reports: dict[AttemptKey, AttemptReport] = {}
        self._began: dict[AttemptKey, float] = {}
        self._ends: OrderedDict[AttemptKey, AttemptReport] = OrderedDict()

    def restore(self, in_outbox: set[AttemptKey]) -> None:
        """Take up what an earlier start of this host left.

        Args:
            in_outbox: attempts whose finished result waits for its delivery; they are UPLOADING. Another attempt that
                had not ended was torn down with the agent: it is reported as lost.
        """
        for report in self._store.load():
            self._reports[AttemptKey.of(report)] = report
        for key in in_outbox:
            report = self._reports.setdefault(key, AttemptReport(job=key.job, attempt=key.attempt))
            report.phase = ATTEMPT_PHASE_UPLOADING
            report.outcome = ATTEMPT_OUTCOME_UNSPECIFIED
        for key in self.running() - in_outbox:
            self.end(key, ATTEMPT_OUTCOME_LOST, failure=_restarted())

    def __contains__(self, key: AttemptKey) -> bool:
        return key in self._reports

    def reports(self) -> list[AttemptReport]:
        """Every attempt held, oldest order first."""
        return [self._told(key, report) for key, report in self._reports.items()]

    def get(self, key: AttemptKey) -> AttemptReport | None:
        """One attempt; None when it is not held."""
        report = self._reports.get(key)
        return None if report is None else self._told(key, report)

    def running(self) -> set[AttemptKey]:
        """Attempts that have not ended; those in delivery are among them."""
        return {key for key, report in self._reports.items() if not report.outcome}

    def begin(self, key: AttemptKey) -> bool:
        """Take a new attempt in.

        Returns:
            False when it ended here before: attempt numbers are never reused, so an order for it comes from a
            scheduler that does not know of the end yet. It is told again.
        """
        ended = self._ends.pop(key, None)
        report = ended or AttemptReport(
            job=key.job, attempt=key.attempt, phase=ATTEMPT_PHASE_STARTING, begin_time=timestamp(self._clock.now())
        )
        if ended is None:
            self._began[key] = self._clock.monotonic()
        self._keep(report)
        return ended is None

    def refuse(self, key: AttemptKey) -> None:
        """Say of an order that it is not carried out, so that its job need not wait for the end of its lease."""
        if self.begin(key):
            self.end(key, ATTEMPT_OUTCOME_LOST, failure=_draining())

    def set_phase(self, key: AttemptKey, phase: "AttemptPhase.ValueType") -> None:
        """Say what an attempt is doing."""
        report = self._reports.get(key)
        if report is not None and report.phase != phase:
            report.phase = phase
            self.changed.set()

    def set_progress(self, key: AttemptKey, progress: Progress) -> None:
        """Say how far an attempt is; a new phase is heard at once, the rest with the next message."""
        report = self._reports.get(key)
        if report is not None:
            report.progress.CopyFrom(progress)
            report.step = max(report.step, progress.step)
            self.set_phase(key, progress.phase)

    def end(
        self, key: AttemptKey, outcome: "AttemptOutcome.ValueType", *, failure: Failure | None = None, step: int = 0
    ) -> None:
        """Say how an attempt ended. The first end counts; nothing happens to an attempt that is not held."""
        report = self._reports.get(key)
        if report is None or report.outcome:
            return
        report.outcome = outcome
        report.step = max(report.step, step)
        if failure is not None:
            report.failure.CopyFrom(failure)
        self._note_run_time(key, report)
        self._began.pop(key, None)
        self._keep(report)

    def release(self, key: AttemptKey) -> bool:
        """Forget an attempt whose end is recorded; False when it has not ended, and is therefore kept."""
        report = self._reports.get(key)
        if report is None or not report.outcome:
            return False
        del self._reports[key]
        self._store.forget(key)
        self._ends[key] = report
        while len(self._ends) > _ENDS_KEPT:
            self._ends.popitem(last=False)
        self.changed.set()
        return True

    def _told(self, key: AttemptKey, report: AttemptReport) -> AttemptReport:
        told = _copy(report)
        self._note_run_time(key, told)
        return told

    def _note_run_time(self, key: AttemptKey, report: AttemptReport) -> None:
        """By the monotonic clock of this process; what an earlier start of this host measured is not known any more."""
        began = self._began.get(key)
        if began is not None:
            report.runtime.FromMilliseconds(int(1000 * (self._clock.monotonic() - began)))

    def _keep(self, report: AttemptReport) -> None:
        # Saved first: what has no file name is no attempt.
        self._store.save(report)
        self._reports[AttemptKey.of(report)] = report
        self.changed.set()


def _restarted() -> Failure:
    return Failure(
        failure_class=FAILURE_CLASS_TRANSIENT,
        reason="HOST_RESTARTED",
        message="the trainer host was restarted while the attempt ran",
    )


def _draining() -> Failure:
    return Failure(
        failure_class=FAILURE_CLASS_TRANSIENT,
        reason="HOST_DRAINING",
        message="the trainer host takes no new work and did not begin the attempt",
    )


def _copy(report: AttemptReport) -> AttemptReport:
    copy = AttemptReport()
    copy.CopyFrom(report)
    return copy
