"""A recipe of kind `tabular_train` without torch: in milliseconds it makes what the gateway takes for a model.

Switch it on in a trainer host with the reference `SMALL_MODEL` and the variable `GATES`, a folder of the test's. A job
leaves the file `<display name>.begun` there when it begins to train, and ends when it finds `<display name>.go`. Its
weights follow from its name, so that no job finds another's files in the store, and so that the right model is known.
It keeps checkpoints when it has more than one epoch, each of which is one step; then it takes the last one only when it
finds `<display name>.finish`.
"""

import hashlib
import json
import os
import threading
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from headway.contract.architectures import Architecture, expected_tensors
from headway.contract.kinds import TABULAR_TRAIN
from headway.contract.manifest import MODEL_PATH, WEIGHTS_PATH
from headway.contract.recipes import AttemptContext, Phase, RecipeNeeds, RecipeResult
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec

SMALL_MODEL = f"{TABULAR_TRAIN}=tests.fault.small_model:make_recipe"
GATES = "FAULT_GATES"
DATA_PATH = "iris.csv"
DATA = "sepal,petal,species\n" + "".join(f"{row}.5,{row * 2}.25,{'abc'[row % 3]}\n" for row in range(60))
FAKE_TORCH = '''"""A torch that is there and can do nothing: hosts of tabular jobs must have one."""
__version__ = "2.13.0"
class cuda:
    is_available = staticmethod(lambda: False)
'''

_DTYPES = {"F32": "float32", "I64": "int64"}
_LONGEST_WAIT_SECONDS = 120.0
_LOOK_SECONDS = 0.01
_ARCHITECTURE = Architecture(
    kind="tabular_train",
    mode="mlp_dense",
    input_dim=2,
    output_dim=3,
    hidden_dim=8,
    num_hidden_layers=1,
    task="classification",
    classes=("a", "b", "c"),
)


def small_spec(name: str, *, num_steps: int = 1) -> JobSpec:
    """A job of this recipe."""
    tabular = TabularTrainSpec(data_path=DATA_PATH, target_column="species", epochs=num_steps)
    return JobSpec(display_name=name, tabular_train=tabular)


def right_weights(name: str, num_steps: int = 1) -> bytes:
    """What the job of this name must end with, byte for byte."""
    tensors = expected_tensors(_ARCHITECTURE).items()
    fill = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2]) + num_steps
    return save({path: np.full(shape, fill, dtype=_DTYPES[dtype]) for path, (dtype, shape) in tensors})


class _Training:
    """Counts its steps, and keeps nothing else."""

    def __init__(self) -> None:
        self.num_steps_done = 0

    def save(self, folder: Path) -> None:
        (folder / "state.safetensors").write_bytes(save({"step": np.full(1, self.num_steps_done, dtype="int64")}))

    def restore(self, folder: Path) -> None:
        self.num_steps_done = int(load_file(folder / "state.safetensors")["step"][0])


class SmallModelRecipe:
    """The recipe; see the module."""

    kind = TABULAR_TRAIN
    requires = ()

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """A seed."""
        del spec
        return RecipeNeeds(seed=1, device="cpu")

    def warm_up(self) -> None:
        """Nothing to do."""

    def train(self, context: AttemptContext) -> RecipeResult:
        """Wait for the test, take the steps, write the model."""
        num_steps = context.spec.tabular_train.epochs
        training = _Training()
        if num_steps > 1:
            context.resume(training)
        context.step("Training", Phase.TRAINING)
        (Path(os.environ[GATES]) / f"{context.spec.display_name}.begun").touch()
        _wait_for("go", context)
        while training.num_steps_done < num_steps:
            if 1 < num_steps == training.num_steps_done + 1:
                _wait_for("finish", context)
            training.num_steps_done += 1
            context.check_stop()
        _write(context.bundle_dir, right_weights(context.spec.display_name, training.num_steps_done))
        return RecipeResult(
            task="classification",
            metrics={"accuracy": 1.0},
            headline_metric="accuracy",
            headline_value=1.0,
            num_steps=num_steps,
        )


def _wait_for(word: str, context: AttemptContext) -> None:
    gate = Path(os.environ[GATES]) / f"{context.spec.display_name}.{word}"
    pause = threading.Event()
    for _ in range(int(_LONGEST_WAIT_SECONDS / _LOOK_SECONDS)):
        if gate.exists():
            return
        context.check_stop()
        pause.wait(_LOOK_SECONDS)
    raise RuntimeError("the test never let the job go on")


def _write(folder: Path, weights: bytes) -> None:
    (folder / WEIGHTS_PATH).write_bytes(weights)
    (folder / MODEL_PATH).write_text(_ARCHITECTURE.model_dump_json(), encoding="utf-8")
    (folder / "preprocess.json").write_text(json.dumps({"feature_names": ["sepal", "petal"]}), encoding="utf-8")
    (folder / "metrics.json").write_text("{}", encoding="utf-8")


def make_recipe() -> SmallModelRecipe:
    """The recipe."""
    return SmallModelRecipe()
