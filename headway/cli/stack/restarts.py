"""Whether and when a service that died is started again. Pure: time is an argument."""

from dataclasses import dataclass, replace

SETTINGS_REFUSED = 2
"""Exit code of a service that does not accept its settings; starting it again changes nothing."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How patient the supervisor is.

    Attributes:
        first_wait_seconds: before the first restart; doubled for each further quick death.
        longest_wait_seconds: bound of the doubling.
        steady_seconds: a service that lived this long starts with a clean slate.
        max_quick_deaths: a service that died so often without ever being ready is given up.
    """

    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    steady_seconds: float = 60.0
    max_quick_deaths: int = 3


@dataclass(frozen=True, slots=True)
class Life:
    """What is known about one service.

    Attributes:
        start_time: of its present process, on the monotonic clock.
        was_ready: whether it has ever been ready under this supervisor.
        num_quick_deaths: in a row.
        num_restarts: in all.
    """

    start_time: float = 0.0
    was_ready: bool = False
    num_quick_deaths: int = 0
    num_restarts: int = 0


@dataclass(frozen=True, slots=True)
class Restart:
    """Start it again after a wait."""

    wait_seconds: float
    life: Life


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop everything; a service that cannot start needs a person."""

    reason: str


def decide(policy: RestartPolicy, life: Life, exit_code: int, *, now: float) -> Restart | GiveUp:
    """What to do about a death.

    Args:
        policy: how patient to be.
        life: of the service, up to now.
        exit_code: negative for a signal.
        now: on the monotonic clock.

    Returns:
        `Restart` with waits of 0.5, 1, 2, 4, ... 30 s for deaths in a row, or `GiveUp` for refused settings and for a
        service that died `max_quick_deaths` times without ever being ready.
    """
    if exit_code == SETTINGS_REFUSED:
        return GiveUp("it refused its settings")
    lived_long = now - life.start_time >= policy.steady_seconds
    num_quick = 0 if lived_long else life.num_quick_deaths + 1
    if not life.was_ready and num_quick >= policy.max_quick_deaths:
        return GiveUp(f"it ended {num_quick} times before it was ready, last with {describe_exit(exit_code)}")
    wait = min(policy.first_wait_seconds * 2 ** max(0, num_quick - 1), policy.longest_wait_seconds)
    return Restart(wait, replace(life, num_quick_deaths=num_quick, num_restarts=life.num_restarts + 1))


def describe_exit(exit_code: int) -> str:
    """An exit code in words: `exit code 1`, `signal 9`."""
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
