"""Tells a child that gets on from one that only lives: no step, or no word where it takes no steps, for too long."""

from headway.contract.recipes import Phase
from headway.runtime.clock import Clock
from trainer_host.child_messages import ChildMessage, Progress, Saved

_SLICES = 8
"""The time is counted in so many parts, so a stall is seen late by one part at most."""


class StallWatch:
    """How long one child has not got on."""

    def __init__(self, limit_seconds: float, clock: Clock) -> None:
        """Begin to count when `until_stalled` is called.

        Args:
            limit_seconds: a child that has not got on for so long is stalled.
            clock: for the time.
        """
        self.limit_seconds = limit_seconds
        self._clock = clock
        self._phase = ""
        self._step = 0
        self._has_got_on = False

    def note(self, message: ChildMessage) -> None:
        """Hear a word of the child.

        While it takes steps only a further step counts: a training that hangs may well go on writing lines of its log.
        """
        if isinstance(message, Progress | Saved):
            phase = message.phase if isinstance(message, Progress) else self._phase
            if message.step > self._step or phase != self._phase:
                self._has_got_on = True
            self._step, self._phase = max(self._step, message.step), phase
        if self._phase != Phase.TRAINING or not self._step:
            self._has_got_on = True

    async def until_stalled(self) -> None:
        """Return once the child has not got on for as long as the limit.

        A time in which this process did not run, as when its machine slept, counts for little: the child most likely
        did not run either, and its words are still to be read.
        """
        idle_seconds, part = 0.0, self.limit_seconds / _SLICES
        while idle_seconds < self.limit_seconds:
            self._has_got_on = False
            before = self._clock.monotonic()
            await self._clock.sleep(part)
            passed = min(self._clock.monotonic() - before, 2 * part)
            idle_seconds = 0.0 if self._has_got_on else idle_seconds + passed
