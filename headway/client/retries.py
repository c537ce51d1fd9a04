"""How long a client waits before it tries a broken call again."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from headway.contract.errors import Code
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError

T = TypeVar("T")


def is_passing(error: RemoteError) -> bool:
    """Whether a broken stream may be opened again: the gateway was away or busy, or cut a slow reader."""
    return error.code == Code.UNAVAILABLE or error.reason in {"WATCH_LAGGED", "TOO_MANY_CALLS"}


@dataclass(frozen=True, slots=True)
class Patience:
    """How a client takes a gateway that does not answer.

    Attributes:
        give_up_seconds: longest silence before the error is raised; 0 raises the first one.
        first_wait_seconds: wait before the first new try; doubled for each further one.
        longest_wait_seconds: bound of the doubling.
    """

    give_up_seconds: float = 60.0
    first_wait_seconds: float = 0.1
    longest_wait_seconds: float = 2.0

    def waits(self) -> Iterator[float]:
        """The waits in order: 0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, ... until they add up to more than the limit."""
        waited, wait = 0.0, self.first_wait_seconds
        while waited < self.give_up_seconds:
            yield wait
            waited += wait
            wait = min(2 * wait, self.longest_wait_seconds)

    async def keep_trying(
        self, clock: Clock, once: Callable[[], Awaitable[T]], passes: Callable[[RemoteError], bool] = is_passing
    ) -> T:
        """Call again and again until it succeeds.

        Args:
            clock: sleeps between the tries.
            once: one try.
            passes: whether an error may pass by itself.

        Raises:
            RemoteError: one that does not pass, or the last one when patience is over.
        """
        waits = self.waits()
        while True:
            try:
                return await once()
            except RemoteError as error:
                wait = next(waits, None)
                if wait is None or not passes(error):
                    raise
                await clock.sleep(wait)
