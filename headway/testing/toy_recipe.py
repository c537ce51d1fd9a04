"""A recipe without torch that does what its spec says: takes its time, fails, crashes. For tests of everything else.

Its kind is `toy`, a custom kind. Switch it on in a trainer host with the recipe reference `TOY_RECIPE`.
"""

import json
import os
import random
import resource
import signal
import threading
from pathlib import Path
from typing import Self

import numpy as np
import psutil
from google.protobuf import json_format
from pydantic import BaseModel, ConfigDict, Field

from headway.contract.limits import MIB
from headway.contract.recipes import (
    AttemptContext,
    CheckpointUnusable,
    FatalFailure,
    Phase,
    RecipeFailure,
    RecipeNeeds,
    RecipeResult,
    TransientFailure,
    UserInputFailure,
)
from headway.runtime.clock import SystemClock
from headway.v1.job_specs_pb2 import CustomSpec, JobSpec

TOY_KIND = "toy"
TOY_RECIPE = "toy=headway.testing.toy_recipe:make_recipe"

_STATE_PATH = "toy.json"
_PADDING_PATH = "padding.txt"
_FAILURES: dict[str, type[RecipeFailure]] = {
    "USER_INPUT": UserInputFailure,
    "TRANSIENT": TransientFailure,
    "FATAL": FatalFailure,
}


class ToySpec(BaseModel):
    """What the toy should do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_steps: int = Field(default=3, ge=0, le=1_000_000)
    """Steps to take."""
    step_seconds: float = Field(default=0.0, ge=0, le=60)
    """How long a step takes; the wish to stop is seen after each."""
    seed: int = Field(default=42, ge=0)
    """Goes into the result, so that it can be compared."""
    fail_at_step: int = -1
    """Fail before this step, from 0; -1 means never."""
    fail_class: str = "TRANSIENT"
    """USER_INPUT, TRANSIENT, FATAL; RAISE for an error that the recipe does not know; EXIT and KILL for a crash; MEMORY
    for real want of it; HANG for a step without an end."""
    failing_attempts: int = Field(default=1_000_000, ge=0)
    """How many attempts of the job fail, when `failures_dir` counts them."""
    failures_dir: str = ""
    """A folder of the test's in which each failing attempt leaves a file; empty means that every attempt fails."""
    deaf: bool = False
    """Whether it ignores the wish to stop."""
    resumable: bool = True
    """Whether it keeps checkpoints."""
    kill_in_save_from: int = -1
    """Step from which on a checkpoint kills the process half-way through being written; -1 means never."""
    kill_mark: str = ""
    """A file of the test's that this kill leaves behind; where it is, there is no second."""
    num_bytes: int = Field(default=0, ge=0, le=1_000_000_000)
    """Size of a further file in the bundle."""
    noise: bool = False
    """Whether that file is digits drawn by the seed, which no compression halves, instead of zeros."""
    steps_file: str = ""
    """A file of the test's to which each step that was taken adds a line `attempt step nanoseconds-since-1970`."""

    @classmethod
    def of(cls, spec: JobSpec) -> Self:
        """Read the spec of a custom job."""
        return cls.model_validate_json(json_format.MessageToJson(spec.custom.spec))

    def job_spec(self, display_name: str = "toy") -> JobSpec:
        """The spec of a job that does this."""
        custom = CustomSpec(kind=TOY_KIND)
        custom.spec.update(self.model_dump())
        return JobSpec(display_name=display_name, custom=custom)


class ToyTraining:
    """What the toy has learned so far; part of it by luck, so that a random state that was lost is seen."""

    def __init__(self, toy: ToySpec) -> None:
        """Begin."""
        self.loss = float(toy.seed)
        self.luck = 0.0
        self._toy = toy
        self._num_steps_done = 0

    @property
    def num_steps_done(self) -> int:
        """Steps taken."""
        return self._num_steps_done

    def take_step(self) -> float:
        """Learn a little; returns the loss."""
        self.loss /= 2
        self.luck += random.random() + float(np.random.random())  # noqa: NPY002 - the global generators are the point
        self._num_steps_done += 1
        return self.loss

    def save(self, folder: Path) -> None:
        """Write the state."""
        path = folder / _STATE_PATH
        state = {"step": self._num_steps_done, "loss": self.loss, "luck": self.luck}
        path.write_text("{", encoding="utf-8")
        mark = Path(self._toy.kill_mark)
        if 0 <= self._toy.kill_in_save_from <= self._num_steps_done and not mark.is_file():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        path.write_text(json.dumps(state), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Go on from a state."""
        state: dict[str, float] = json.loads((folder / _STATE_PATH).read_text(encoding="utf-8"))
        step, loss, luck = int(state["step"]), state["loss"], state["luck"]
        if step > self._toy.num_steps:
            raise CheckpointUnusable("the toy has fewer steps than that")
        self._num_steps_done, self.loss, self.luck = step, loss, luck


class ToyRecipe:
    """The recipe; see the module."""

    kind = TOY_KIND
    requires = ()

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """A seed and one thread."""
        return RecipeNeeds(seed=ToySpec.of(spec).seed, device="cpu")

    def warm_up(self) -> None:
        """Nothing to do."""

    def train(self, context: AttemptContext) -> RecipeResult:
        """Take the steps, or fail as told."""
        toy = ToySpec.of(context.spec)
        context.step("Loading nothing", Phase.LOADING_DATA)
        context.step("Taking steps", Phase.TRAINING)
        training = ToyTraining(toy)
        if toy.resumable:
            context.resume(training)
        pause = threading.Event()
        for step in range(training.num_steps_done, toy.num_steps):
            if not toy.deaf:
                context.check_stop()
            if step == toy.fail_at_step and _is_to_fail(toy):
                _fail(toy)
            pause.wait(toy.step_seconds)
            loss = training.take_step()
            _count_step(toy, context, step + 1)
            context.progress(
                Phase.TRAINING, f"step {step + 1}", step=step + 1, total_steps=toy.num_steps, loss=loss, best_loss=loss
            )
        context.step("Writing the result", Phase.EXPORTING)
        loss = training.loss
        result = {"loss": loss, "seed": toy.seed, "luck": training.luck}
        (context.bundle_dir / "toy.json").write_text(json.dumps(result), encoding="utf-8")
        if toy.num_bytes:
            (context.bundle_dir / _PADDING_PATH).write_text(_content(toy), encoding="ascii")
        return RecipeResult(
            task="toy", metrics={"loss": loss}, headline_metric="loss", headline_value=loss, num_steps=toy.num_steps
        )


def _content(toy: ToySpec) -> str:
    if not toy.noise:
        return "0" * toy.num_bytes
    return random.Random(toy.seed).randbytes(toy.num_bytes // 2 + 1).hex()[: toy.num_bytes]


def _is_to_fail(toy: ToySpec) -> bool:
    if not toy.failures_dir:
        return True
    folder = Path(toy.failures_dir)
    num_failures = len(list(folder.iterdir()))
    if num_failures >= toy.failing_attempts:
        return False
    (folder / f"failure-{num_failures + 1}").touch()
    return True


def _count_step(toy: ToySpec, context: AttemptContext, step: int) -> None:
    """One write a step, so that what a kill leaves is whole."""
    if not toy.steps_file:
        return
    # The executor names an attempt's folder after it; a recipe is told its attempt by nothing else.
    attempt = context.bundle_dir.parent.name.rpartition("~")[2]
    with Path(toy.steps_file).open("a", encoding="ascii") as file:
        file.write(f"{attempt} {step} {SystemClock().now().timestamp() * 1e9:.0f}\n")


def _fail(toy: ToySpec) -> None:
    if toy.fail_class == "EXIT":
        os._exit(7)
    if toy.fail_class == "KILL":
        os.kill(os.getpid(), signal.SIGKILL)
    if toy.fail_class == "MEMORY":
        _use_up_memory()
    if toy.fail_class == "HANG":
        threading.Event().wait()
    if toy.fail_class in _FAILURES:
        raise _FAILURES[toy.fail_class]("TOY_FAILURE", "the toy fails as it was told")
    raise RuntimeError("the toy raises as it was told")


def _use_up_memory() -> None:
    """Ask for more than this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 256 * MIB, hard))
    held: list[bytearray] = []
    while True:
        held.append(bytearray(64 * MIB))


def make_recipe() -> ToyRecipe:
    """The toy."""
    return ToyRecipe()
