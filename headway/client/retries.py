"""How long a client waits before it tries a broken stream again."""

from collections.abc import Iterator
from dataclasses import dataclass

from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError


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


def is_passing(error: RemoteError) -> bool:
    """Whether a broken stream may be opened again: the gateway was away, or cut a slow reader."""
    return error.code == Code.UNAVAILABLE or error.reason == "WATCH_LAGGED"
