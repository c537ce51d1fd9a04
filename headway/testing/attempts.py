"""An attempt without an executor, for tests of recipes and their parts."""

from pathlib import Path
from typing import Unpack

from headway.contract.recipes import FatalFailure, Phase, ProgressDetails, RecipeInput, Resumable, StopRequested
from headway.v1.job_specs_pb2 import JobSpec


class SilentContext:
    """An `AttemptContext` that keeps what it is told, and can be told to stop."""

    def __init__(
        self, *, spec: JobSpec | None = None, inputs: dict[str, RecipeInput] | None = None, folder: Path = Path()
    ) -> None:
        """Make a context.

        Args:
            spec: what to train.
            inputs: by role.
            folder: where the bundle's files go.
        """
        self.spec = spec if spec is not None else JobSpec()
        self.device = "cpu"
        self.bundle_dir = folder
        self.titles: list[str] = []
        self.details: list[str] = []
        self.warnings: list[str] = []
        self.reports: list[tuple[Phase, str, ProgressDetails]] = []
        self.checks_until_stop: int | None = None
        """How many more checks pass before one raises StopRequested; None means that all do."""
        self.resume_from: Path | None = None
        """What a training is restored from; None means that it begins."""
        self.training: Resumable | None = None
        """What was handed to `resume`."""
        self._inputs = inputs or {}

    def input(self, role: str) -> RecipeInput:
        """The input with a role."""
        if role not in self._inputs:
            raise FatalFailure("INPUT_MISSING", f"the order has no input {role}")
        return self._inputs[role]

    def inputs(self, prefix: str) -> dict[str, RecipeInput]:
        """The inputs whose role begins with a prefix, by the rest of their role."""
        return {role.removeprefix(prefix): item for role, item in self._inputs.items() if role.startswith(prefix)}

    def step(self, title: str, phase: Phase) -> None:
        """Keep the title."""
        self.check_stop()
        self.titles.append(title)
        self.reports.append((phase, title, {}))

    def detail(self, message: str, **fields: object) -> None:
        """Keep the message and its fields as one text."""
        self.details.append(" ".join([message, *(f"{name}={value}" for name, value in fields.items())]))

    def warn(self, message: str) -> None:
        """Keep the sentence."""
        self.warnings.append(message)

    def progress(self, phase: Phase, message: str, **details: Unpack[ProgressDetails]) -> None:
        """Keep every report: nothing is dropped here."""
        self.reports.append((phase, message, details))

    def resume(self, training: Resumable) -> None:
        """Restore what `resume_from` names, and keep the training."""
        self.training = training
        if self.resume_from is not None:
            training.restore(self.resume_from)

    def check_stop(self) -> None:
        """Raise StopRequested when the checks have run out."""
        if self.checks_until_stop is None:
            return
        if self.checks_until_stop == 0:
            raise StopRequested("CANCEL")
        self.checks_until_stop -= 1
