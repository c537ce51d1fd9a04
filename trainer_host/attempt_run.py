"""One attempt from its order to its end: inputs, child, outbox, delivery."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from headway.contract.kinds import INFER
from headway.contract.limits import STEP_TIMEOUT_DEFAULT
from headway.runtime.clock import Clock
from headway.runtime.logs import bound, get_logger
from headway.runtime.service import Spawner
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_TRANSIENT,
    AttemptOutcome,
    Failure,
    FailureClass,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder
from trainer_host.attempt_failure import AttemptFailed
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempts import AttemptTable
from trainer_host.checkpoint_fetch import CheckpointFetch
from trainer_host.checkpoint_files import Wanted
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.checkpoint_uploads import NewCheckpointUploads
from trainer_host.child_messages import CheckpointOrder, Finished, RunAttempt
from trainer_host.child_translation import commit_request, run_message
from trainer_host.children import Child, ChildPool
from trainer_host.conversation import Conversation, Listeners
from trainer_host.delivery import Delivered, Delivery, Verdict
from trainer_host.files import make_directory
from trainer_host.inputs import Inputs
from trainer_host.outbox import Outbox, OutboxEntry
from trainer_host.retries import Pace, retrying
from trainer_host.sole_error import sole_error
from trainer_host.stop_request import Stopped, StopReason, StopRequest
from trainer_host.telemetry import AttemptTelemetry

T = TypeVar("T")

_log = get_logger(__name__)
_FLUSH_SECONDS = 2.0
"""How long an end waits for the last log lines to arrive before it; they are then complete for whoever follows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPace:
    """How often attempts are saved, unless their specs say otherwise.

    Attributes:
        interval_seconds: longest time between two checkpoints.
        interval_steps: most optimizer steps between two; 0 means that only time counts.
        limit_seconds: how long an end waits for the gateway to take the last one.
    """

    interval_seconds: float
    interval_steps: int
    limit_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What every attempt of a host works with.

    Attributes:
        host: `hosts/{host}`.
        work_dir: attempts train in folders below it; on the outbox's file system.
        slots: one for each attempt that may train at a time.
        inference_slots: one for each prediction that may be answered at a time, beside the slots.
        checkpoints: those on this host's disk.
        checkpoint_fetch: brings one of the gateway's.
        checkpoint_pace: how often, and how long an end waits for the last.
        stop_limit_seconds: a child that was told to stop is killed after this.
        disk_pace: the waits while the disk is full.
    """

    host: str
    work_dir: Path
    table: AttemptTable
    inputs: Inputs
    pool: ChildPool
    outbox: Outbox
    delivery: Delivery
    new_telemetry: Callable[[AttemptKey], AttemptTelemetry]
    checkpoints: CheckpointStore
    checkpoint_fetch: CheckpointFetch
    new_checkpoint_uploads: NewCheckpointUploads
    checkpoint_pace: CheckpointPace
    spawner: Spawner
    clock: Clock
    slots: asyncio.Semaphore
    inference_slots: asyncio.Semaphore
    stop_limit_seconds: float
    disk_pace: Pace

    def lane_of(self, kind: str) -> asyncio.Semaphore:
        """What an attempt of a kind holds while its child works."""
        return self.inference_slots if kind == INFER else self.slots


class AttemptRun:
    """One attempt on this host. `stop` may be called at any time."""

    def __init__(self, key: AttemptKey, means: Means) -> None:
        self._key = key
        self._means = means
        self._stop = StopRequest()
        self._telemetry = means.new_telemetry(key)
        self._closing: asyncio.Task[None] | None = None

    def stop(self, reason: StopReason) -> None:
        """Ask for the end."""
        if self._stop.ask(reason):
            _log.info("stopping an attempt", job=self._key.job, attempt=self._key.attempt, reason=reason.value)

    async def run(self, order: AttemptOrder) -> None:
        """Train and deliver; ends with an outcome in the table."""
        work_dir = self._means.work_dir / self._key.file_name
        with bound(job=self._key.job, attempt=self._key.attempt):
            self._means.spawner.spawn(f"telemetry of {self._key}", self._telemetry.run())
            limiting = self._means.spawner.spawn(f"run time of {self._key}", self._limit_run_time(order))
            await self._to_the_end(self._train_and_deliver(order, work_dir))
            limiting.cancel()
            if self._closing is not None:
                # A child that is being killed may still make a file in there, and the folder would stay.
                await asyncio.wait([self._closing])
        # Not when cancelled: a thread may still be moving the bundle out. The next start sweeps.
        await asyncio.to_thread(shutil.rmtree, work_dir, ignore_errors=True)

    async def resume(self, entry: OutboxEntry) -> None:
        """Deliver a result that an earlier start of this host left in the outbox."""
        with bound(job=self._key.job, attempt=self._key.attempt):
            await self._to_the_end(self._deliver_and_settle(entry))

    async def _limit_run_time(self, order: AttemptOrder) -> None:
        """Also while the scheduler is away: what a job may cost is no matter of who listens."""
        if order.HasField("runtime_left"):
            await self._means.clock.sleep(order.runtime_left.ToTimedelta().total_seconds())
            self.stop(StopReason.MAX_RUNTIME)

    async def _to_the_end(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Stopped as error:
            await self._end_stopped(error.step)
        except AttemptFailed as error:
            _log.warning("attempt failed", reason=error.failure.reason, error=error.failure.message)
            await self._end(ATTEMPT_OUTCOME_FAILED, error.failure, error.step)
        except Exception:  # noqa: BLE001 - whatever it was, the scheduler must hear that the attempt is over
            _log.exception("attempt failed on a fault of the host")
            message = "the trainer host failed; its log has the reason"
            await self._end(ATTEMPT_OUTCOME_FAILED, _failure(FAILURE_CLASS_TRANSIENT, "HOST_ERROR", message))
        finally:
            self._telemetry.close()

    async def _train_and_deliver(self, order: AttemptOrder, work_dir: Path) -> None:
        finished = await self._train(order, work_dir)
        request = commit_request(order, host=self._means.host, finished=finished)
        adopt = partial(self._means.outbox.adopt, request, work_dir / "bundle")
        # The bundle has cost hours: a disk without room for a folder is no reason to train again.
        entry = await self._stop.unless_final(self._once_there_is_room(adopt))
        with sole_error():
            async with asyncio.TaskGroup() as group:
                # Beside the upload: the sooner of the two is enough for the result to be safe.
                sealing = group.create_task(self._seal(entry))
                delivered = await self._deliver(entry)
                sealing.cancel()
        await self._settle(delivered)

    async def _train(self, order: AttemptOrder, work_dir: Path) -> Finished:
        means = self._means
        async with AsyncExitStack() as stack:
            await self._stop.unless_asked(stack.enter_async_context(means.lane_of(order.kind)))
            inputs = await self._stop.unless_asked(
                stack.enter_async_context(means.inputs.held(self._key.parent, order.inputs))
            )
            checkpoints = await self._stop.unless_asked(self._checkpoint_order(order))
            child = await self._stop.unless_asked(means.pool.take())
            try:
                shutil.rmtree(work_dir, ignore_errors=True)
                make_directory(work_dir)
                message = run_message(order, host=means.host, inputs=inputs, work_dir=work_dir, checkpoints=checkpoints)
                return await self._converse(child, message, _step_timeout_seconds(order))
            finally:
                child.kill()
                self._closing = means.spawner.spawn(f"closing the child of {self._key}", self._close(child))
                means.pool.replenish()

    async def _close(self, child: Child) -> None:
        """See the child dead, and sweep what it was writing."""
        await child.close()
        await asyncio.to_thread(self._means.checkpoints.sweep, self._key)

    async def _converse(self, child: Child, message: RunAttempt, step_timeout_seconds: float) -> Finished:
        """Let the child train, and deliver what it saves meanwhile."""
        means = self._means
        uploads = means.new_checkpoint_uploads(self._key)
        listeners = Listeners(table=means.table, telemetry=self._telemetry, pool=means.pool, checkpoints=uploads)
        talk = Conversation(
            self._key,
            child,
            listeners,
            means.clock,
            stop_limit_seconds=means.stop_limit_seconds,
            stall_limit_seconds=step_timeout_seconds,
        )
        sending = means.spawner.spawn(f"checkpoints of {self._key}", uploads.run())
        try:
            return await talk.hold(message, self._stop)
        except (Stopped, AttemptFailed):
            # The end is told when the checkpoint that it is about is there: whoever hears "paused" may rely on it.
            limit = min(means.checkpoint_pace.limit_seconds, self._stop.checkpoint_limit_seconds)
            if not await uploads.settle(limit):
                _log.warning("the last checkpoint stays on this host for now: the gateway has not taken it")
            raise
        finally:
            sending.cancel()
            await asyncio.to_thread(means.checkpoints.prune, self._key)

    async def _checkpoint_order(self, order: AttemptOrder) -> CheckpointOrder:
        means, policies = self._means, order.spec.policies
        folder = await asyncio.to_thread(means.checkpoints.folder_of, self._key)
        resume_from = await means.checkpoint_fetch.find(order, self._tell_skipped)
        pace = means.checkpoint_pace
        seconds = pace.interval_seconds
        if policies.HasField("checkpoint_interval"):
            seconds = policies.checkpoint_interval.ToTimedelta().total_seconds()
        return CheckpointOrder(
            folder=str(folder),
            resume_from=tuple(str(path) for path in resume_from),
            spec_digest=Wanted.of(order.job, order.kind, order.spec).spec_digest,
            interval_seconds=seconds,
            interval_steps=pace.interval_steps,
        )

    def _tell_skipped(self, sentence: str) -> None:
        _log.warning("a checkpoint is skipped", why=sentence)
        self._telemetry.log("warning", sentence, {}, self._means.clock.now())

    async def _deliver_and_settle(self, entry: OutboxEntry) -> None:
        await self._settle(await self._deliver(entry))

    async def _seal(self, entry: OutboxEntry) -> None:
        """Make the result durable; a full disk is waited out."""
        await self._once_there_is_room(partial(self._means.outbox.seal, entry))
        self._means.table.set_phase(self._key, ATTEMPT_PHASE_UPLOADING)

    async def _once_there_is_room(self, work: Callable[[], T]) -> T:
        """Do something for the result on the disk, again and again while the disk is full, and tell the job's owner."""
        means, told = self._means, ""
        async for attempt in retrying("keeping a result", means.clock, means.disk_pace, _is_of_the_disk):
            with attempt:
                try:
                    return await asyncio.to_thread(work)
                except OSError as error:
                    if told != (told := error.strerror or "I/O error"):
                        sentence = f"the result waits for this host's disk ({told}); nothing of it is lost"
                        self._telemetry.log("warning", sentence, {}, means.clock.now())
                    raise
        raise AssertionError("the retry loop returns or raises")

    async def _deliver(self, entry: OutboxEntry) -> Delivered:
        async def flush() -> None:
            await self._telemetry.flush(_FLUSH_SECONDS)

        return await self._stop.unless_final(self._means.delivery.deliver(entry, flush))

    async def _settle(self, delivered: Delivered) -> None:
        """Report what became of the result, then clear the outbox: after a crash in between it is a DUPLICATE."""
        outbox = self._means.outbox
        match delivered.verdict:
            case Verdict.COMMITTED:
                self._means.table.end(self._key, ATTEMPT_OUTCOME_SUCCEEDED)
                await asyncio.to_thread(self._means.checkpoints.remove, self._key)
            case Verdict.REFUSED:
                _log.warning("the result is not wanted any more", reason=delivered.reason)
                is_cancelled = delivered.reason == "CANCELLED"
                outcome = ATTEMPT_OUTCOME_CANCELLED if is_cancelled else ATTEMPT_OUTCOME_LOST
                failure = _failure(FAILURE_CLASS_TRANSIENT, delivered.reason, delivered.message)
                self._means.table.end(self._key, outcome, failure=failure)
            case Verdict.REJECTED:
                _log.error("result rejected and set aside", reason=delivered.reason, why=delivered.message)
                failure = _failure(FAILURE_CLASS_FATAL, "RESULT_REJECTED", delivered.message)
                await self._end(ATTEMPT_OUTCOME_FAILED, failure)
                await asyncio.to_thread(outbox.set_aside, self._key)
            case Verdict.CORRUPT:
                failure = _failure(FAILURE_CLASS_TRANSIENT, delivered.reason, delivered.message)
                await self._end(ATTEMPT_OUTCOME_FAILED, failure)
        await asyncio.to_thread(outbox.remove, self._key)

    async def _end_stopped(self, step: int) -> None:
        reason = self._stop.reason or StopReason.CANCEL
        outcome = reason.outcome
        failure = None
        if outcome == ATTEMPT_OUTCOME_LOST:
            failure = _failure(FAILURE_CLASS_TRANSIENT, reason.name, "the attempt was stopped on this host")
        elif reason is StopReason.MAX_RUNTIME:
            failure = _failure(FAILURE_CLASS_TRANSIENT, reason.name, "the job's max_runtime is used up")
        await self._end(outcome, failure, step)
        await asyncio.to_thread(self._means.outbox.remove, self._key)

    async def _end(self, outcome: "AttemptOutcome.ValueType", failure: Failure | None, step: int = 0) -> None:
        await self._telemetry.flush(_FLUSH_SECONDS)
        self._means.table.end(self._key, outcome, failure=failure, step=step)
        if outcome == ATTEMPT_OUTCOME_CANCELLED or _is_final(failure):
            await asyncio.to_thread(self._means.checkpoints.remove, self._key)


def _step_timeout_seconds(order: AttemptOrder) -> float:
    policies = order.spec.policies
    asked = policies.timeout_per_step.ToTimedelta() if policies.HasField("timeout_per_step") else STEP_TIMEOUT_DEFAULT
    return asked.total_seconds()


def _is_final(failure: Failure | None) -> bool:
    """Whether no attempt will come after this one."""
    return failure is not None and failure.failure_class != FAILURE_CLASS_TRANSIENT


def _is_of_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError)


def _failure(failure_class: "FailureClass.ValueType", reason: str, message: str) -> Failure:
    return Failure(failure_class=failure_class, reason=reason, message=message)
