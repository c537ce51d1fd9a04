"""Bounds the calls in flight: one too many is told so, and when to come back, before anything is done for it (P27)."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta

from headway.contract.errors import TooManyCalls

RETRY_AFTER = timedelta(seconds=1)
"""A call takes milliseconds; a second spreads those who were refused."""

LISTENERS_SHARE = 0.75
"""Of the bound that open response streams may take: those who only listen must not keep out those who work."""


class InFlight:
    """Counts the calls of one server."""

    def __init__(self, max_calls: int, listening_methods: Collection[str] = ()) -> None:
        """Bound them.

        Args:
            max_calls: calls in flight at a time, open streams included.
            listening_methods: those that last for as long as the caller likes, such as a watch or a followed log.
        """
        self._max_calls = max_calls
        self._listening_methods = frozenset(listening_methods)
        self._max_listeners = max(1, int(max_calls * LISTENERS_SHARE))
        self._num_calls = 0
        self._num_listeners = 0

    @property
    def num_calls(self) -> int:
        """Calls in flight."""
        return self._num_calls

    @contextmanager
    def counted(self, method: str) -> Iterator[None]:
        """Count a call of a method for the length of the block.

        Raises:
            TooManyCalls: there are as many as may be; nothing was counted.
        """
        is_listener = method in self._listening_methods
        if self._num_calls >= self._max_calls:
            raise _too_many("calls", self._max_calls)
        if is_listener and self._num_listeners >= self._max_listeners:
            raise _too_many("watches and followed logs", self._max_listeners)
        self._num_calls += 1
        self._num_listeners += is_listener
        try:
            yield
        finally:
            self._num_calls -= 1
            self._num_listeners -= is_listener


def _too_many(what: str, limit: int) -> TooManyCalls:
    return TooManyCalls(
        f"{limit} {what} are in flight at this service, which is the limit; come back in a moment",
        metadata={"quota": f"{what} in flight", "limit": str(limit)},
        retry_after=RETRY_AFTER,
    )
