"""How many messages a minute. Pure: a bucket of tokens, filled at an even pace."""

from dataclasses import dataclass

_SECONDS_A_MINUTE = 60.0
_NEARLY_ONE = 1.0 - 1e-6
"""Sums of fractions of seconds come out a little short; a wait for the rest could be too short to be a wait at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The bounds of a sink.

    Attributes:
        messages_per_minute: on average.
        burst: messages that may go out at once behind a silence.
    """

    messages_per_minute: float
    burst: int = 5


class Allowance:
    """What may be sent now. With no rate, everything."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._num_left = float(rate.burst) if rate is not None else 0.0
        self._seen_seconds = 0.0

    def wait_seconds(self, now_seconds: float) -> float:
        """How long until one message may be sent; 0 when it may be now. `now_seconds` is monotonic."""
        if self._rate is None:
            return 0.0
        self._refill(self._rate, now_seconds)
        if self._num_left >= _NEARLY_ONE:
            return 0.0
        return (1.0 - self._num_left) * _SECONDS_A_MINUTE / self._rate.messages_per_minute

    def take(self, now_seconds: float) -> None:
        """One message goes out, whether it arrives or not: tries cost the other side as much."""
        if self._rate is not None:
            self._refill(self._rate, now_seconds)
            self._num_left -= 1.0

    def _refill(self, rate: Rate, now_seconds: float) -> None:
        passed = max(0.0, now_seconds - self._seen_seconds)
        self._seen_seconds = max(self._seen_seconds, now_seconds)
        self._num_left = min(float(rate.burst), self._num_left + passed * rate.messages_per_minute / _SECONDS_A_MINUTE)
