"""How many messages one stream may send: a bucket of tokens. Pure; times are monotonic seconds."""

PER_SECOND = 200.0
"""Sustained. A host speaks five times a lease, and once more for each change of an attempt; short attempts on 64
slots come near one hundred."""
BURST = 1000.0
"""At once, as when a host was held up and catches up."""


class MessageRate:
    """Tokens that fill up steadily; a message takes one."""

    def __init__(self, *, now: float, per_second: float = PER_SECOND, burst: float = BURST) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def may_pass(self, now: float) -> bool:
        """Whether one more message is within the rate; it is counted when it is."""
        filled = self._tokens + (now - self._filled_at) * self._per_second
        self._tokens = min(self._burst, max(0.0, filled))
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
