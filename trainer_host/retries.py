"""How the agent tries again: 1, 2, 4 seconds as the seed asks, then slower up to a cap, for as long as it takes."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The waits between tries: `first`, twice that, and so on, at most `longest`, plus up to a tenth of jitter.

    Attributes:
        first_seconds: before the second try.
        longest_seconds: no wait is longer, whatever the server asks for.
        give_up_seconds: no try begins later than this after the first; None means never give up.
    """

    first_seconds: float = 1.0
    longest_seconds: float = 15.0
    give_up_seconds: float | None = None

    def wait_seconds(self, num_tries: int, error: BaseException | None) -> float:
        """How long to wait after the `num_tries`-th try, from 1; longer when the server said so."""
        wait: float = self.first_seconds * 2.0 ** min(num_tries - 1, 32)
        if isinstance(error, RemoteError) and error.retry_after is not None:
            wait = max(wait, error.retry_after.total_seconds())
        return min(wait, self.longest_seconds) * random.uniform(1.0, 1.1)


def retrying(what: str, clock: Clock, pace: Pace, should_retry: Callable[[BaseException], bool]) -> AsyncRetrying:
    """Make a loop that tries again: `async for attempt in loop: with attempt: ...`. The last error is raised as it is.

    Args:
        what: for the log, such as "upload".
        clock: sleeps between tries.
        pace: the waits.
        should_retry: whether an error may pass by itself.
    """

    def wait(state: RetryCallState) -> float:
        return pace.wait_seconds(state.attempt_number, _error_of(state))

    def log_retry(state: RetryCallState) -> None:
        error = _error_of(state)
        _log.warning(
            f"{what} failed; will try again",
            error=str(error),
            reason=error.reason if isinstance(error, RemoteError) else type(error).__name__,
            num_tries=state.attempt_number,
            wait_seconds=round(state.next_action.sleep, 2) if state.next_action else 0,
        )

    limit = math.inf if pace.give_up_seconds is None else pace.give_up_seconds
    deadline = clock.monotonic() + limit
    return AsyncRetrying(
        sleep=clock.sleep,
        stop=lambda _: clock.monotonic() >= deadline,
        wait=wait,
        retry=retry_if_exception(should_retry),
        before_sleep=log_retry,
        reraise=True,
    )


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None
