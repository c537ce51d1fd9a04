"""Makes a host's progress believable: what cannot be is clamped, so that a confused host confuses nobody else."""

import math
from datetime import datetime

from headway.contract.times import timestamp
from headway.v1.jobs_pb2 import AttemptPhase, Progress

MESSAGE_MAX_CHARACTERS = 512


def clamped(progress: Progress, before: Progress | None, attempt: int, now: datetime) -> Progress:
    """A copy that could be true.

    Args:
        progress: as the host sent it.
        before: the last one of the same attempt; None for the first. Steps and epochs never go back.
        attempt: the attempt that it is of, whatever it says itself.
        now: no measurement is from later.
    """
    copy = Progress()
    copy.CopyFrom(progress)
    copy.attempt = attempt
    copy.message = progress.message[:MESSAGE_MAX_CHARACTERS]
    if progress.phase not in AttemptPhase.values():
        copy.phase = before.phase if before is not None else AttemptPhase.ATTEMPT_PHASE_UNSPECIFIED
    copy.total_epochs = max(0, progress.total_epochs)
    copy.total_steps = max(0, progress.total_steps)
    copy.epoch = _within(progress.epoch, before.epoch if before is not None else 0, copy.total_epochs)
    copy.step = _within(progress.step, before.step if before is not None else 0, copy.total_steps)
    copy.memory_bytes = max(0, progress.memory_bytes)
    copy.loss = progress.loss if math.isfinite(progress.loss) else math.nan
    copy.best_loss = progress.best_loss if math.isfinite(progress.best_loss) else math.nan
    copy.learning_rate = _positive(progress.learning_rate)
    copy.samples_per_second = _positive(progress.samples_per_second)
    if progress.HasField("eta") and (progress.eta.seconds < 0 or progress.eta.nanos < 0):
        copy.ClearField("eta")
    _clamp_time(copy, now)
    return copy


def _within(number: int, least: int, greatest: int) -> int:
    """At least what was reached before, and at most the total where one is known."""
    return max(least, min(number, greatest) if greatest else number)


def _positive(number: float) -> float:
    return number if math.isfinite(number) and number > 0 else 0.0


def _clamp_time(progress: Progress, now: datetime) -> None:
    latest = timestamp(now)
    measured = progress.measure_time
    is_real = progress.HasField("measure_time") and measured.seconds >= 0 and 0 <= measured.nanos < 1_000_000_000
    if not is_real or (measured.seconds, measured.nanos) > (latest.seconds, latest.nanos):
        progress.measure_time.CopyFrom(latest)
