"""Attempts that are saved, stopped and gone on from, in this process, through the same executor as a child's."""

from pathlib import Path

from headway.v1.job_specs_pb2 import JobSpec
from tests.attempt_runs import an_order, run
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import CheckpointOrder, InputFile, Progress, Saved, StopReason
from trainer_host.executor import Outcome
from trainer_host.reports import MemoryReport


class StopAfterSaving(MemoryReport):
    """Wishes the attempt to stop as soon as it has saved at a step or later."""

    def __init__(self, token: CancellationToken, step: int, reason: StopReason = "PAUSE") -> None:
        super().__init__()
        self._token = token
        self._step = step
        self._reason: StopReason = reason

    def saved(self, checkpoint: Saved) -> None:
        super().saved(checkpoint)
        if checkpoint.step >= self._step:
            self._token.cancel(self._reason)


class StopInTraining(MemoryReport):
    """Wishes the attempt to stop when it reports a step."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__()
        self.token = CancellationToken()
        self._reason: StopReason = reason

    def progress(self, progress: Progress) -> None:
        super().progress(progress)
        if progress.phase == "TRAINING" and progress.step:
            self.token.cancel(self._reason)


def checkpoint_order(folder: Path, *resume_from: Path, interval_steps: int = 0, **changes: object) -> CheckpointOrder:
    """Save below a folder; without `interval_steps`, only when the attempt is stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    order = CheckpointOrder(
        folder=str(folder),
        resume_from=tuple(str(path) for path in resume_from),
        spec_digest="sha256:" + "5" * 64,
        interval_steps=interval_steps,
    )
    return order.model_copy(update=changes)


def run_saving(
    folder: Path,
    spec: JobSpec,
    checkpoints: CheckpointOrder,
    *,
    inputs: tuple[InputFile, ...] = (),
    attempt: int = 1,
    report: MemoryReport | None = None,
    token: CancellationToken | None = None,
) -> Outcome:
    """Run an attempt that may be saved."""
    order = an_order(folder, spec, inputs=inputs, attempt=attempt, checkpoints=checkpoints)
    return run(order, report=report, token=token)
