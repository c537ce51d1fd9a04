"""What the end of a child that said nothing means."""

import signal
from pathlib import Path

from headway.v1.jobs_pb2 import FAILURE_CLASS_TRANSIENT
from trainer_host.attempt_failure import MEMORY_ADVICE, AttemptFailed

_VMSTAT = Path("/proc/vmstat")


def num_oom_kills(vmstat: Path = _VMSTAT) -> int:
    """Processes that the kernel has killed for memory since the machine started; 0 where it does not count them."""
    try:
        lines = vmstat.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def failure_of_death(returncode: int, *, num_oom_kills: int, step: int) -> AttemptFailed:
    """Why the attempt of a dead child failed.

    Args:
        returncode: negative for the signal that ended it.
        num_oom_kills: kills for memory on this machine while it ran.
        step: optimizer steps that it had reported.
    """
    if returncode == -signal.SIGKILL and num_oom_kills:
        message = f"the kernel killed the training process because memory ran out; {MEMORY_ADVICE}"
        return AttemptFailed(FAILURE_CLASS_TRANSIENT, "OUT_OF_MEMORY", message, step=step)
    message = f"the training process {_how(returncode)} without a word"
    return AttemptFailed(FAILURE_CLASS_TRANSIENT, "CHILD_DIED", message, step=step)


def stalled(limit_seconds: float, *, step: int) -> AttemptFailed:
    """Why the attempt failed of a child that lives and does not get on (F27)."""
    message = f"no further step in {limit_seconds:g} s; if a step may take longer, raise policies.timeout_per_step"
    return AttemptFailed(FAILURE_CLASS_TRANSIENT, "PROGRESS_STALLED", message, step=step)


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"
