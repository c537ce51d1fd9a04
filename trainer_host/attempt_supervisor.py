"""Brings the host's attempts to where the scheduler wants them."""

import asyncio
from collections.abc import Coroutine

from headway.contract.errors import InvalidName
from headway.runtime.logs import get_logger
from headway.v1.scheduler_service_pb2 import AttemptOrder, SynchronizeResponse
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempt_run import AttemptRun, Means
from trainer_host.attempts import AttemptTable
from trainer_host.stop_request import StopReason

_log = get_logger(__name__)


class AttemptSupervisor:
    """Starts, stops and forgets attempts. Every call of `apply` is complete: repeating or losing one does no harm."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._runs: dict[AttemptKey, AttemptRun] = {}
        self._is_draining = False
        self._nothing_runs = asyncio.Event()
        self._nothing_runs.set()

    @property
    def table(self) -> AttemptTable:
        """The attempts as the scheduler hears of them."""
        return self._means.table

    @property
    def num_running(self) -> int:
        """Attempts that are worked on, deliveries included."""
        return len(self._runs)

    async def restore(self) -> None:
        """Take up what an earlier start left: deliver what is in the outbox, report what was torn down."""
        entries = await asyncio.to_thread(self._means.outbox.entries)
        self.table.restore({entry.key for entry in entries})
        for entry in entries:
            _log.info("found a result in the outbox", job=entry.key.job, attempt=entry.key.attempt)
            run = AttemptRun(entry.key, self._means)
            self._spawn(entry.key, run, run.resume(entry))

    def apply(self, response: SynchronizeResponse) -> None:
        """Do what the scheduler says. Does not wait for anything."""
        for stop in response.stop:
            self._stop(AttemptKey.of(stop), StopReason.of(stop))
        for reference in response.release:
            self._release(AttemptKey.of(reference))
        for order in response.run:
            try:
                self._start(order)
            except InvalidName as error:
                # One order that makes no sense must not keep the others from starting.
                _log.error("refused an order", error=error.message)

    def stop_all(self, reason: StopReason) -> None:
        """Ask every attempt to end."""
        for run in self._runs.values():
            run.stop(reason)

    async def drain(self, limit_seconds: float) -> None:
        """Stop what trains and wait for it, so that the scheduler hears of it; results go on to the outbox."""
        self._is_draining = True
        self.stop_all(StopReason.HOST_STOPPED)
        await self._means.clock.wait_for_event(self._nothing_runs, limit_seconds)

    def _start(self, order: AttemptOrder) -> None:
        key = AttemptKey.of(order)
        if key in self.table:
            return
        if self._is_draining:
            # The order crossed the word that this host drains: without an answer the job would wait for its lease.
            self.table.refuse(key)
            return
        for other, older in self._runs.items():
            # The scheduler has given the job up and taken it again while this host was out of reach.
            if other.job == key.job and other.attempt < key.attempt:
                older.stop(StopReason.STALE)
        if self.table.begin(key):
            _log.info("starting an attempt", job=key.job, attempt=key.attempt, kind=order.kind)
            run = AttemptRun(key, self._means)
            self._spawn(key, run, run.run(order))

    def _stop(self, key: AttemptKey, reason: StopReason) -> None:
        run = self._runs.get(key)
        if run is not None:
            run.stop(reason)
        elif reason is StopReason.STALE:
            self.table.release(key)

    def _release(self, key: AttemptKey) -> None:
        if self.table.release(key):
            _log.debug("attempt released", job=key.job, attempt=key.attempt)

    def _spawn(self, key: AttemptKey, run: AttemptRun, work: Coroutine[object, object, None]) -> None:
        self._runs[key] = run
        self._nothing_runs.clear()
        task = self._means.spawner.spawn(f"attempt {key}", work)
        task.add_done_callback(lambda _: self._forget(key))

    def _forget(self, key: AttemptKey) -> None:
        del self._runs[key]
        if not self._runs:
            self._nothing_runs.set()
