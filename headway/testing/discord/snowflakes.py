"""Ids as Discord makes them: milliseconds since 2015 and a counter, so that they sort by time."""

from headway.runtime.clock import Clock

_EPOCH_MILLISECONDS = 1_420_070_400_000


class Snowflakes:
    """Gives out ids, each greater than the one before, even when the clock is set back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """A new id, as decimal text: they do not fit into a JavaScript number."""
        milliseconds = int(self._clock.now().timestamp() * 1000) - _EPOCH_MILLISECONDS
        self._last = max(self._last + 1, milliseconds << 22)
        return str(self._last)
