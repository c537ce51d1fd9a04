"""What a recipe is: the plug-in that turns the spec of one kind into a bundle.

The executor of a trainer host is the only caller. A recipe of another project imports this module, and is found through
the entry-point group `headway.recipes`, whose entry is named as its kind and points to a function that takes nothing
and returns a `Recipe`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

from headway.v1.job_specs_pb2 import JobSpec

ENTRY_POINT_GROUP = "headway.recipes"


class Phase(StrEnum):
    """What an attempt is doing: the names of `headway.v1.AttemptPhase` that a recipe can bring about."""

    STARTING = "STARTING"
    LOADING_DATA = "LOADING_DATA"
    TRAINING = "TRAINING"
    EVALUATING = "EVALUATING"
    EXPORTING = "EXPORTING"

    @property
    def is_after_training(self) -> bool:
        """Whether no step is left: what is done now only makes something of what was trained."""
        return self in {Phase.EVALUATING, Phase.EXPORTING}


class FailureClass(StrEnum):
    """Who is at fault: the names of `headway.v1.FailureClass`."""

    USER_INPUT = "USER_INPUT"
    TRANSIENT = "TRANSIENT"
    FATAL = "FATAL"


class RecipeFailure(Exception):
    """The attempt cannot succeed; raise it through one of the three subclasses.

    Attributes:
        failure_class: who is at fault, and so whether another attempt can help.
        reason: UPPER_SNAKE_CASE word for programs.
        message: a sentence for people, with the remedy, without paths and secrets.
    """

    failure_class = FailureClass.FATAL

    def __init__(self, reason: str, message: str) -> None:
        """Describe one occurrence; see the class for `reason` and `message`."""
        super().__init__(message)
        self.reason = reason
        self.message = message


class UserInputFailure(RecipeFailure):
    """The spec or the data is wrong; never retried."""

    failure_class = FailureClass.USER_INPUT


class TransientFailure(RecipeFailure):
    """It may pass by itself; retried with back-off."""

    failure_class = FailureClass.TRANSIENT


class FatalFailure(RecipeFailure):
    """A defect or a limit; not retried."""

    failure_class = FailureClass.FATAL


@dataclass(frozen=True, slots=True)
class RecipeNeeds:
    """What the executor must prepare before it calls `train`.

    Attributes:
        seed: of every random choice, 0 to 2^32-1.
        device: `auto`, `cpu` or `cuda`.
        num_threads: threads of the math library. The same number is needed for the same bits; small models are fastest
            with one.
    """

    seed: int
    device: str = "auto"
    num_threads: int = 1


@dataclass(frozen=True, slots=True)
class RecipeInput:
    """A file to train on, complete and checked against its digest.

    Attributes:
        path: where it lies on this host; read only.
        format: such as `csv`; empty where nobody said.
        file_name: its name when it was taken in, for messages.
        digest: `sha256:...` of its bytes.
    """

    path: Path
    format: str
    file_name: str
    digest: str = ""


class ProgressDetails(TypedDict, total=False):
    """Numbers of a progress report; the executor adds rate, expected time to the end, and memory."""

    epoch: int
    total_epochs: int
    step: int
    total_steps: int
    loss: float
    best_loss: float
    learning_rate: float
    num_samples: int
    """Rows or tokens trained on so far by this attempt, without those before a resume."""


class CheckpointUnusable(Exception):
    """A checkpoint is not one to go on from; the message says why. The executor takes an older one, or begins anew."""


class Resumable(Protocol):
    """A training whose whole state can be written between two steps, and that goes on from it exactly.

    Exactly: with the same device and number of threads, the weights in the end are those of a training that was never
    interrupted, bit for bit. The state of the global random generators of Python, NumPy and torch is the executor's to
    keep; everything else is the recipe's: weights, optimizer, position in the data, the best state so far, history.
    """

    @property
    def num_steps_done(self) -> int:
        """Optimizer steps done, those before a resume included."""
        ...

    def save(self, folder: Path) -> None:
        """Write the state into an empty folder, as safetensors and JSON: no pickle, and nothing that needs one."""
        ...

    def restore(self, folder: Path) -> None:
        """Take up a state that `save` wrote.

        Raises:
            CheckpointUnusable: it is not one of this training. Raised, as any other error, before anything was changed.
        """
        ...


class AttemptContext(Protocol):
    """One call of a recipe, as the executor presents it."""

    @property
    def spec(self) -> JobSpec:
        """What to train."""
        ...

    @property
    def device(self) -> str:
        """Where to train: `cpu` or `cuda:0`."""
        ...

    @property
    def bundle_dir(self) -> Path:
        """An empty folder. Every file in it when `train` returns becomes an artifact of the bundle."""
        ...

    def input(self, role: str) -> RecipeInput:
        """The input with a role, such as `table`.

        Raises:
            FatalFailure: INPUT_MISSING: the order has none.
        """
        ...

    def inputs(self, prefix: str) -> Mapping[str, RecipeInput]:
        """The inputs whose role begins with a prefix, such as `teacher.0/`, by the rest of their role; may be none."""
        ...

    def step(self, title: str, phase: Phase) -> None:
        """Begin the next numbered step: a line "Step 2: ..." in the log, and a progress report of `phase`.

        Raises:
            StopRequested: the attempt has been told to stop.
        """
        ...

    def detail(self, message: str, **fields: object) -> None:
        """Write a sub-step at level debug."""
        ...

    def warn(self, message: str) -> None:
        """Write a sentence that the owner of the job should read; it also goes into the result's warnings."""
        ...

    def progress(self, phase: Phase, message: str, **details: Unpack[ProgressDetails]) -> None:
        """Report progress; cheap, since all but about ten reports a second are dropped."""
        ...

    def resume(self, training: Resumable) -> None:
        """Go on where an earlier attempt stopped, when there is a checkpoint, and let this one be saved from now on.

        Call it once, in phase TRAINING, when everything is ready for the first step. From then on each `check_stop` may
        save `training`. A recipe that never calls it has no checkpoints: it begins again whenever it was interrupted.
        """
        ...

    def check_stop(self) -> None:
        """Call between optimizer steps. What was handed to `resume` may be saved here.

        Raises:
            StopRequested: the attempt has been told to stop. Let it pass.
        """
        ...


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """The numbers of a trained model.

    Attributes:
        task: what was learned, such as `classification`.
        metrics: every scalar by name; at most 128.
        headline_metric: name of the figure to show first.
        headline_value: its value.
        num_steps: optimizer steps taken, those before a resume included.
    """

    task: str
    metrics: dict[str, float] = field(default_factory=dict)
    headline_metric: str = ""
    headline_value: float = float("nan")
    num_steps: int = 0


class StopRequested(Exception):
    """The attempt has been told to stop: raised between steps, caught by the executor alone."""

    def __init__(self, reason: str) -> None:
        """Say why: PAUSE, CANCEL, PREEMPT or STALE."""
        super().__init__(reason)
        self.reason = reason


class Recipe(Protocol):
    """A kind of training."""

    @property
    def kind(self) -> str:
        """The kind of job that it runs, such as `tabular_train`."""
        ...

    @property
    def requires(self) -> Sequence[str]:
        """Modules without which it cannot run, such as `torch`."""
        ...

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """Say what the executor must prepare.

        Raises:
            InvalidArgument: of `headway.contract.errors`, when the spec is not acceptable.
        """
        ...

    def warm_up(self) -> None:
        """Do once what makes the first attempt slow: late imports, thread pools, kernels. At most some 100 ms."""
        ...

    def train(self, context: AttemptContext) -> RecipeResult:
        """Train, and write the files of the bundle into `context.bundle_dir`.

        Raises:
            RecipeFailure: a subclass, for what the recipe can tell. Anything else counts as a defect.
            StopRequested: passed on from `context`.
        """
        ...
