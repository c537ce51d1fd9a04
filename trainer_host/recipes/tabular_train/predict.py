"""Predicts with a bundle, from the files alone and without torch.

`python -m trainer_host.recipes.tabular_train.predict BUNDLE_DIR ROWS.csv` prints a JSON list with one object a row.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from headway.contract.architectures import Architecture, parse_architecture
from headway.contract.errors import HeadwayError
from headway.contract.manifest import MODEL_PATH, WEIGHTS_PATH
from headway.contract.recipes import RecipeFailure
from trainer_host.recipes.tabular_train.preprocess import PREPROCESS_PATH, Preprocess
from trainer_host.recipes.tabular_train.sources import CsvSource, RowSource
from trainer_host.recipes.tabular_train.table import read_table

NORM_EPSILON = 1e-5
"""Of torch.nn.BatchNorm1d, with which the model was trained."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one row.

    Attributes:
        value: the class's label, or the number.
        probabilities: by label; empty for a regression.
    """

    value: str | float
    probabilities: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """As printed."""
        return {"prediction": self.value, **({"probabilities": self.probabilities} if self.probabilities else {})}


class Predictor:
    """A bundle, ready to predict."""

    def __init__(self, bundle_dir: Path) -> None:
        """Read the bundle.

        Raises:
            OSError: a file is missing.
            ArchitectureMismatch: model.json is not ours.
        """
        self._architecture = parse_architecture((bundle_dir / MODEL_PATH).read_bytes())
        self._preprocess = Preprocess.model_validate_json((bundle_dir / PREPROCESS_PATH).read_bytes())
        self._tensors: dict[str, Array] = load_file(bundle_dir / WEIGHTS_PATH)

    def predict(self, source: RowSource) -> list[Prediction]:
        """The answer for each row.

        Args:
            source: has every column that was a feature in training; further columns do not matter.

        Raises:
            UserInputFailure: a column is missing or holds something else than in training.
        """
        preprocess = self._preprocess
        wanted = {feature.name for feature in preprocess.numeric} | preprocess.text_columns
        skipped = [name for name in source.columns if name not in wanted or name == preprocess.target.column]
        table = read_table(source, skipped=skipped, as_text=preprocess.text_columns)
        outputs = forward(self._architecture, self._tensors, preprocess.features(table))
        target = preprocess.target
        if target.task == "regression":
            numbers = outputs[:, 0].astype(np.float64) * target.scale + target.mean
            return [Prediction(number, {}) for number in numbers.tolist()]
        return [_labelled(target.classes, row) for row in _softmax(outputs).tolist()]


def forward(architecture: Architecture, tensors: dict[str, Array], features: Array) -> Array:
    """Outputs of the model: rows x outputs."""
    hidden = features
    if architecture.mode == "mlp_dense":
        for index in range(architecture.num_hidden_layers):
            linear, norm = f"layers.{index}.linear", f"layers.{index}.norm"
            hidden = hidden @ tensors[f"{linear}.weight"].T + tensors[f"{linear}.bias"]
            scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + np.float32(NORM_EPSILON))
            hidden = np.maximum((hidden - tensors[f"{norm}.running_mean"]) * scale + tensors[f"{norm}.bias"], 0)
    outputs: Array = hidden @ tensors["output.weight"].T + tensors["output.bias"]
    return outputs


def _softmax(logits: Array) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def _labelled(classes: tuple[str, ...], probabilities: list[float]) -> Prediction:
    best = max(range(len(classes)), key=probabilities.__getitem__)
    return Prediction(classes[best], dict(zip(classes, probabilities, strict=True)))


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when the arguments or files are wrong."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m trainer_host.recipes.tabular_train.predict BUNDLE_DIR ROWS.csv\n")
        return 2
    try:
        predictions = Predictor(Path(arguments[0])).predict(CsvSource(Path(arguments[1])))
    except (HeadwayError, RecipeFailure, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps([prediction.to_json() for prediction in predictions], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
