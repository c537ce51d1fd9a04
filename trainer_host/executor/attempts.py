"""An attempt as its executor and its recipe see it: the order, the numbered steps, the reports, the wish to stop."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Unpack

import psutil
from google.protobuf import json_format

from headway.contract.limits import LOG_MESSAGE_MAX_CHARACTERS, WARNINGS_MAX
from headway.contract.recipes import (
    FatalFailure,
    Phase,
    ProgressDetails,
    RecipeInput,
    Resumable,
    TransientFailure,
    UserInputFailure,
)
from headway.runtime.clock import Clock
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import InputFile, Log, LogLevel, Progress, RunAttempt
from trainer_host.reports import Report, Throttle

BUNDLE_FOLDER = "bundle"
LOG_LINES_KEPT = 10_000
"""Lines that go into the bundle's logs.jsonl; an attempt that writes more keeps the first."""


class Saving(Protocol):
    """What saves and restores an attempt."""

    def begin(self, training: Resumable) -> int:
        """Restore the newest good checkpoint; returns its step, 0 when there is none."""
        ...

    def save_if_due(self) -> bool:
        """Save when it is time to; whether it was."""
        ...

    def save_at_stop(self) -> int:
        """Save what was trained since; returns the optimizer steps done, 0 when the recipe does not say."""
        ...


@dataclass(slots=True)
class Attempt:
    """One attempt to run.

    Attributes:
        order: what to run.
        token: the wish to stop, set from outside.
        num_steps_done: optimizer steps so far, as the recipe reports them.
    """

    order: RunAttempt
    token: CancellationToken
    num_steps_done: int = 0


class AttemptSession:
    """An attempt while it is executed: the recipe's `AttemptContext`, and what the executor needs beside it."""

    def __init__(self, attempt: Attempt, report: Report, clock: Clock) -> None:
        self.attempt = attempt
        self.device = "cpu"
        self.lines: list[Log] = []
        self.warnings: list[str] = []
        self._spec = _parse_spec(attempt.order.spec_json)
        self._bundle_dir = Path(attempt.order.work_dir) / BUNDLE_FOLDER
        self._report = report
        self._clock = clock
        self._begin_seconds = clock.monotonic()
        self._throttle = Throttle()
        self._num_titles = 0
        self._phase = Phase.STARTING
        self._phase_begin_seconds = self._begin_seconds
        self._saving: Saving | None = None
        self._is_resumable = False
        self._first_step = 0
        self._process = psutil.Process()

    @property
    def spec(self) -> JobSpec:
        """What to train."""
        return self._spec

    @property
    def bundle_dir(self) -> Path:
        """Where the recipe writes its files."""
        return self._bundle_dir

    @property
    def elapsed_seconds(self) -> float:
        """Time since the order."""
        return self._clock.monotonic() - self._begin_seconds

    def input(self, role: str) -> RecipeInput:
        """The input with a role."""
        for item in self.attempt.order.inputs:
            if item.role == role:
                return _recipe_input(item)
        raise FatalFailure("INPUT_MISSING", f"the order has no input {role}")

    def inputs(self, prefix: str) -> dict[str, RecipeInput]:
        """The inputs whose role begins with a prefix, by the rest of their role."""
        items = self.attempt.order.inputs
        return {item.role.removeprefix(prefix): _recipe_input(item) for item in items if item.role.startswith(prefix)}

    def step(self, title: str, phase: Phase) -> None:
        """Begin the next numbered step."""
        self._check_stop_before(phase)
        self._num_titles += 1
        self.log("info", f"Step {self._num_titles}: {title}")
        self._enter(phase)
        self._send(phase, title, {})

    def detail(self, message: str, **fields: object) -> None:
        """Write a sub-step at level debug."""
        self.log("debug", f"  {message}", {name: str(value) for name, value in fields.items()})

    def warn(self, message: str) -> None:
        """Write a sentence for the owner of the job."""
        self.log("warning", message)
        if len(self.warnings) < WARNINGS_MAX:
            self.warnings.append(message[:LOG_MESSAGE_MAX_CHARACTERS])

    def log(self, level: LogLevel, message: str, fields: dict[str, str] | None = None) -> None:
        """Write a line of any level."""
        time = self._clock.now().timestamp()
        line = Log(time=time, level=level, message=message[:LOG_MESSAGE_MAX_CHARACTERS], fields=fields or {})
        if len(self.lines) < LOG_LINES_KEPT:
            self.lines.append(line)
        self._report.log(line)

    def progress(self, phase: Phase, message: str, **details: Unpack[ProgressDetails]) -> None:
        """Report progress; dropped unless it is due or brings a new phase."""
        self.attempt.num_steps_done = details.get("step", self.attempt.num_steps_done)
        is_last = bool(details) and details.get("step") == details.get("total_steps", -1)
        if phase != self._phase:
            self._enter(phase)
        elif not self._throttle.is_due(self._clock.monotonic()) and not is_last:
            return
        self._send(phase, message, details)

    def save_with(self, saving: Saving) -> None:
        """Let the attempt be saved and restored by this."""
        self._saving = saving

    def resume(self, training: Resumable) -> None:
        """Restore the newest good checkpoint, and save from now on."""
        if self._saving is not None:
            self._first_step = self._saving.begin(training)
            self._is_resumable = True
            self.attempt.num_steps_done = self._first_step

    def check_stop(self) -> None:
        """Raise StopRequested when the attempt has been told to stop; save it then, and whenever it is due."""
        if self.attempt.token.reason is None and not (self._is_resumable and self._saved_in_passing()):
            return
        reason = self.attempt.token.reason
        if reason not in {None, "STALE"} and self._saving is not None and self._phase is Phase.TRAINING:
            self.attempt.num_steps_done = max(self.attempt.num_steps_done, self._saving.save_at_stop())
        self._check_stop_before(self._phase)

    def _saved_in_passing(self) -> bool:
        """Save when it is time to; whether it was, and somebody may have asked for a stop meanwhile."""
        # After the last step there is no state left from which training could go on.
        return self._saving is not None and self._phase is Phase.TRAINING and self._saving.save_if_due()

    def _check_stop_before(self, phase: Phase) -> None:
        # There is no later step from which a paused attempt could go on: it would train all of it again.
        if not (self.attempt.token.reason == "PAUSE" and phase.is_after_training):
            self.attempt.token.check()

    def _enter(self, phase: Phase) -> None:
        if phase != self._phase:
            self._phase = phase
            self._phase_begin_seconds = self._clock.monotonic()

    def _send(self, phase: Phase, message: str, details: ProgressDetails) -> None:
        passed = self._clock.monotonic() - self._phase_begin_seconds
        samples, step, total = details.get("num_samples", 0), details.get("step", 0), details.get("total_steps", 0)
        num_own_steps = step - self._first_step
        self._report.progress(
            Progress(
                phase=phase.value,
                message=message[:LOG_MESSAGE_MAX_CHARACTERS],
                epoch=details.get("epoch", 0),
                total_epochs=details.get("total_epochs", 0),
                step=step,
                total_steps=total,
                loss=details.get("loss", math.nan),
                best_loss=details.get("best_loss", math.nan),
                learning_rate=details.get("learning_rate", 0.0),
                samples_per_second=samples / passed if passed > 0 else 0.0,
                eta_seconds=passed / num_own_steps * (total - step) if num_own_steps > 0 and total else None,
                memory_bytes=self._process.memory_info().rss,
                measure_time=self._clock.now().timestamp(),
            )
        )


def _recipe_input(item: InputFile) -> RecipeInput:
    path = Path(item.path)
    if not path.is_file():
        raise TransientFailure("INPUT_MISSING", f"the input {item.role} is no longer on this host")
    return RecipeInput(path=path, format=item.format, file_name=item.file_name, digest=item.digest)


def _parse_spec(text: str) -> JobSpec:
    try:
        return json_format.Parse(text, JobSpec())
    except json_format.ParseError as error:
        raise UserInputFailure("INVALID_SPEC", f"this host cannot read the spec: {error}") from None
