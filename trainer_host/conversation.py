"""One attempt's talk with its child: the order, what the child says, a stop, and what its silence means."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from headway.contract.recipes import Phase
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempts import AttemptTable
from trainer_host.checkpoint_uploads import CheckpointUploads
from trainer_host.child_death import failure_of_death, num_oom_kills, stalled
from trainer_host.child_messages import ChildMessage, Failed, Finished, Log, Progress, RunAttempt, Saved
from trainer_host.child_messages import Stopped as ChildStopped
from trainer_host.child_process import ChildDied
from trainer_host.child_translation import failure_of, moment_of, progress_of, stop_message
from trainer_host.children import Child, ChildPool
from trainer_host.sole_error import sole_error
from trainer_host.stall_watch import StallWatch
from trainer_host.stop_request import Stopped, StopReason, StopRequest
from trainer_host.telemetry import AttemptTelemetry

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who hears what the child says.

    Attributes:
        table: for the scheduler.
        telemetry: for the gateway.
        pool: makes the next child once this one speaks.
        checkpoints: for the next attempt.
    """

    table: AttemptTable
    telemetry: AttemptTelemetry
    pool: ChildPool
    checkpoints: CheckpointUploads


class Conversation:
    """The talk with one child; the caller closes the child."""

    def __init__(
        self,
        key: AttemptKey,
        child: Child,
        listeners: Listeners,
        clock: Clock,
        *,
        stop_limit_seconds: float,
        stall_limit_seconds: float,
    ) -> None:
        self._key = key
        self._child = child
        self._listeners = listeners
        self._clock = clock
        self._stop_limit_seconds = stop_limit_seconds
        self._step = 0
        self._is_finishing = False
        self._is_stalled = False
        self._stall_watch = StallWatch(stall_limit_seconds, clock)

    async def hold(self, order: RunAttempt, stop: StopRequest) -> Finished:
        """Give the order and listen to the end.

        Raises:
            Stopped: a stop was asked for, and the child has ended for it.
            AttemptFailed: the child said why, died without a word, or did not get on and was killed for it.
        """
        oom_kills_before = num_oom_kills()
        with sole_error():
            async with asyncio.TaskGroup() as group:
                watchers = [
                    group.create_task(self._stop_when_asked(stop)),
                    group.create_task(self._kill_when_stalled(stop)),
                ]
                last = await self._talk(order)
                for watcher in watchers:
                    watcher.cancel()
        match last:
            case Finished():
                # Whether anybody still wants it is for the one who keeps it to find out.
                return last
            case Failed():
                raise failure_of(last)
        if self._is_stalled:
            raise stalled(self._stall_watch.limit_seconds, step=self._step)
        if stop.reason is not None:
            raise Stopped(self._step)
        if last is not None:
            _log.error("the child stopped and nobody had asked for it")
        returncode = await self._child.wait()
        raise failure_of_death(returncode, num_oom_kills=num_oom_kills() - oom_kills_before, step=self._step)

    async def _talk(self, order: RunAttempt) -> ChildMessage | None:
        """The child's last word; None when it died without one."""
        try:
            await self._child.send(order)
        except ChildDied:
            return None
        async with aclosing(self._child.messages()) as messages:
            async for message in messages:
                if self._hear(message):
                    return message
        return None

    def _hear(self, message: ChildMessage) -> bool:
        """Pass a message on; True when it is the last word."""
        self._listeners.pool.replenish()
        self._stall_watch.note(message)
        match message:
            case Progress():
                progress = progress_of(message, self._key.attempt)
                self._step = max(self._step, progress.step)
                self._is_finishing = Phase(message.phase).is_after_training
                self._listeners.table.set_progress(self._key, progress)
                self._listeners.telemetry.progress(progress)
            case Log():
                moment = moment_of(message.time)
                self._listeners.telemetry.log(message.level, message.message, message.fields, moment)
            case Saved():
                self._step = max(self._step, message.step)
                self._listeners.checkpoints.note(message)
            case Failed() | ChildStopped():
                self._step = max(self._step, message.step)
                return True
            case Finished():
                return True
        return False

    async def _stop_when_asked(self, stop: StopRequest) -> None:
        await stop.asked.wait()
        try:
            if stop.reason is not None and not stop.reason.is_final:
                await self._tell(stop.reason, harder=stop.final)
            if stop.final.is_set() and not stop.stale.is_set():
                await self._tell(StopReason.CANCEL, harder=stop.stale)
        except ChildDied:
            return
        self._child.kill()

    async def _kill_when_stalled(self, stop: StopRequest) -> None:
        await self._stall_watch.until_stalled()
        if not stop.asked.is_set():
            _log.warning("the child does not get on; killing it", seconds=self._stall_watch.limit_seconds)
            self._is_stalled = True
            self._child.kill()

    async def _tell(self, reason: StopReason, *, harder: asyncio.Event) -> None:
        """Tell the child to stop, and give it time for that until a harder stop is asked for."""
        await self._child.send(stop_message(reason))
        limit = min(self._stop_limit_seconds, reason.limit_seconds)
        while not await self._clock.wait_for_event(harder, limit):
            if not (reason.lets_finish and self._is_finishing):
                _log.warning("the child did not stop in time; killing it", reason=reason.value)
                return
