"""Saves an attempt between two steps, and takes up what an earlier attempt saved.

A checkpoint is worth less than the training: whatever goes wrong while one is written or read is a line in the log, and
the training goes on, or begins, without it (P15, F24).
"""

import errno
import shutil
from pathlib import Path

from safetensors import SafetensorError

from headway.contract.recipes import CheckpointUnusable, Resumable
from headway.runtime.clock import Clock
from headway.runtime.disk import fsync_path
from headway.runtime.failpoints import failpoints_around
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.checkpoint_files import (
    FORMAT,
    HEADER_PATH,
    PART_PREFIX,
    RANDOM_STATE_PATH,
    TRAINING_PATH,
    CheckpointFiles,
    CheckpointHeader,
    Wanted,
    name_of,
    open_checkpoint,
)
from trainer_host.child_messages import RunAttempt, Saved
from trainer_host.executor.bundles import recorded_versions, write_manifest
from trainer_host.executor.cadence import Cadence
from trainer_host.executor.random_state import read_random_state, save_random_state
from trainer_host.executor.reproducible import NumericSettings
from trainer_host.files import fsync_tree
from trainer_host.reports import AttemptLog, Report

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class Checkpoints:
    """The checkpoints of one attempt of a recipe that has any."""

    def __init__(
        self,
        order: RunAttempt,
        spec: JobSpec,
        settings: NumericSettings,
        *,
        uses_torch: bool,
        report: Report,
        log: AttemptLog,
        clock: Clock,
    ) -> None:
        self._order = order
        self._spec = spec
        self._settings = settings
        self._uses_torch = uses_torch
        self._report = report
        self._log = log
        self._clock = clock
        self._training: Resumable | None = None
        self._cadence = Cadence(order.checkpoints.interval_seconds, order.checkpoints.interval_steps, 0.0, 0)

    def begin(self, training: Resumable) -> int:
        """Restore the newest checkpoint that can be gone on from; returns its step, 0 when there is none."""
        tries = (self._try(folder, training) for folder in self._order.checkpoints.resume_from)
        step = next((restored for restored in tries if restored), 0)
        self._cadence.note(step, self._clock.monotonic())
        self._training = training if self._order.checkpoints.folder else None
        return step

    def save_if_due(self) -> bool:
        """Save when the cadence says so; whether it did. Costs less than a microsecond when it does not."""
        training = self._training
        if training is None or not self._cadence.is_due(training.num_steps_done, self._clock.monotonic()):
            return False
        self._save(training)
        return True

    def save_at_stop(self) -> int:
        """Save what was trained since the last checkpoint; returns the steps done, 0 when the recipe does not say."""
        training = self._training
        if training is None:
            self._log.log("info", "nothing to save: this kind of training keeps no checkpoints")
            return 0
        if training.num_steps_done > self._cadence.last_step:
            self._save(training)
        return training.num_steps_done

    def _save(self, training: Resumable) -> None:
        step, begin = training.num_steps_done, self._clock.monotonic()
        root = Path(self._order.checkpoints.folder)
        name = name_of(step, self._order.attempt)
        part = root / f"{PART_PREFIX}{name}"
        try:
            saved = self._write(training, step, part, root / name)
        except Exception as error:  # noqa: BLE001 - foreign code and a foreign disk; the training is worth more
            shutil.rmtree(part, ignore_errors=True)
            self._log.log("warning", f"the checkpoint of step {step} is skipped: {_why(error)}; training goes on")
        else:
            self._report.saved(saved)
            size = sum(file.size_bytes for file in saved.artifacts)
            took = self._clock.monotonic() - begin
            self._log.log("debug", f"  checkpoint of step {step}", {"bytes": str(size), "seconds": f"{took:.3f}"})
        self._cadence.note(step, self._clock.monotonic())

    def _write(self, training: Resumable, step: int, part: Path, final: Path) -> Saved:
        shutil.rmtree(part, ignore_errors=True)
        (part / TRAINING_PATH).mkdir(parents=True)
        with failpoints_around("checkpoint.write"):
            training.save(part / TRAINING_PATH)
        save_random_state(part / RANDOM_STATE_PATH, device=self._settings.device, uses_torch=self._uses_torch)
        header = CheckpointHeader(format=FORMAT, spec_digest=self._order.checkpoints.spec_digest, step=step)
        (part / HEADER_PATH).write_text(header.model_dump_json(), encoding="utf-8")
        artifacts = write_manifest(part, self._order, self._spec, self._settings)
        fsync_tree(part)
        # The last step but for its own fsync: with this name the checkpoint is whole, without it there is none.
        with failpoints_around("checkpoint.rename"):
            part.rename(final)
        fsync_path(final.parent)
        return Saved(folder=str(final), step=step, manifest_digest=artifacts[-1].digest, artifacts=artifacts)

    def _try(self, folder: str, training: Resumable) -> int:
        order = self._order
        wanted = Wanted(order.job, order.kind, order.checkpoints.spec_digest)
        try:
            found = open_checkpoint(Path(folder), wanted)
            state = read_random_state(found.folder / RANDOM_STATE_PATH)
            training.restore(found.folder / TRAINING_PATH)
        except Exception as error:  # noqa: BLE001 - foreign code and foreign bytes; an older one may be good
            name = Path(folder).name
            self._log.log("warning", f"the checkpoint {name} is skipped: {_why(error)}")
            return 0
        state.apply(device=self._settings.device, uses_torch=self._uses_torch)
        self._log.log("info", f"Going on from step {found.step}, which attempt {found.manifest.attempt} had saved")
        if differs := self._differences(found):
            self._log.warn(f"The checkpoint was saved with {differs}: the weights may differ in their last bits.")
        return found.step

    def _differences(self, found: CheckpointFiles) -> str:
        manifest, settings, versions = found.manifest, self._settings, recorded_versions()
        pairs = {
            "device": (manifest.device, settings.device),
            "threads": (str(manifest.num_threads), str(settings.num_threads)),
            "torch": (manifest.versions.get("torch", ""), versions.get("torch", "")),
        }
        return ", ".join(f"{name} {then} (now {now})" for name, (then, now) in pairs.items() if then != now)


def _why(error: Exception) -> str:
    """In words that name no path of the host."""
    if isinstance(error, CheckpointUnusable):
        return str(error)
    if _is_of_full_disk(error):
        return "the host's disk is full"
    if isinstance(error, OSError):
        return error.strerror or "I/O error"
    if isinstance(error, MemoryError):
        return "there is no memory for it"
    return f"{type(error).__name__}: {error}"[:300]


def _is_of_full_disk(error: Exception) -> bool:
    if isinstance(error, SafetensorError):
        # It is no OSError, and has its number in its text alone.
        return any(f"os error {number})" in str(error) for number in _DISK_FULL)
    return isinstance(error, OSError) and error.errno in _DISK_FULL
