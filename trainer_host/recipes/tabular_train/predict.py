"""Answers rows with a trained model, exactly as it was trained: the same reading, preprocessing and forward pass.

`python -m trainer_host.recipes.tabular_train.predict BUNDLE_DIR ROWS` prints a JSON list with one object a row, from
the files of the bundle alone.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.errors import HeadwayError, echo
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.contract.recipes import RecipeFailure, RecipeInput, UserInputFailure
from trainer_host.recipes.tabular_train.drift import Drift, fill, find_drift, needed_columns
from trainer_host.recipes.tabular_train.model import ForwardPass
from trainer_host.recipes.tabular_train.preprocess import PREPROCESS_PATH, Matrix
from trainer_host.recipes.tabular_train.sources import RowSource, open_source
from trainer_host.recipes.tabular_train.table import Table, read_table
from trainer_host.recipes.tabular_train.trained import TrainedModel, read_trained

ROWS_A_CHUNK = 16_384
"""Rows that go through the model together; bounds the memory of what lies between its layers."""
_COLUMNS_NAMED = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that fit a model.

    Attributes:
        features: what the model takes: float32, rows x features.
        drift: how they differ from the rows of training.
    """

    features: Matrix
    drift: Drift


class Predictor:
    """A trained model, ready to answer."""

    def __init__(self, trained: TrainedModel, device: str = "cpu") -> None:
        """Args: trained: the model, on `device`. device: `cpu` or `cuda:0`."""
        self._preprocess = trained.preprocess
        self._forward = ForwardPass(trained.model)
        self._device = device

    @classmethod
    def of_folder(cls, folder: Path) -> "Predictor":
        """The model of a bundle on this disk.

        Raises:
            OSError: a file is missing.
            ArchitectureMismatch, UserInputFailure: the files are not those of a model.
        """
        names = (MANIFEST_PATH, MODEL_PATH, PREPROCESS_PATH, WEIGHTS_PATH)
        files = {name: RecipeInput(path=folder / name, format="", file_name=name) for name in names}
        return cls(read_trained(files, "cpu"))

    @property
    def task(self) -> Literal["classification", "regression"]:
        """`classification` or `regression`."""
        return self._preprocess.target.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels in the order of the probabilities; empty for a regression."""
        return self._preprocess.target.classes

    def read(self, source: RowSource, *, impute_missing_columns: bool = False) -> Rows:
        """Read rows and prepare them as those of training were.

        A number or date that cannot be read counts as absent, and is told of.

        Args:
            source: the rows, with a header.
            impute_missing_columns: whether a column that they lack counts as absent in every row.

        Raises:
            UserInputFailure: MISSING_COLUMN: they lack columns that the model needs; NO_ROWS.
            InvalidTable: or a subclass: they are no table.
        """
        table = self._read_table(source)
        if not table.num_rows:
            raise UserInputFailure("NO_ROWS", "there are no rows below the header")
        drift = find_drift(self._preprocess, source.columns, table)
        if drift.missing_columns and not impute_missing_columns:
            raise _missing(drift.missing_columns)
        return Rows(self._preprocess.features(fill(self._preprocess, table)), drift)

    def answers(self, features: Matrix) -> Iterator[Floats]:
        """The answers, some rows at a time: rows x classes probabilities, or rows x 1 numbers in the target's unit."""
        target = self._preprocess.target
        for start in range(0, len(features), ROWS_A_CHUNK):
            with torch.inference_mode():
                batch = torch.from_numpy(features[start : start + ROWS_A_CHUNK]).to(self._device)
                outputs = self._forward(batch, training=False).double()
                answers = outputs * target.scale + target.mean if self.task == "regression" else outputs.softmax(dim=1)
            chunk: Floats = answers.cpu().numpy()
            yield chunk

    def _read_table(self, source: RowSource) -> Table:
        needed = set(needed_columns(self._preprocess))
        # One column is always read, or nobody would know how many rows there are.
        unread = [name for name in source.columns if name not in needed]
        skipped = unread if len(unread) < len(source.columns) else unread[1:]
        return read_table(source, skipped=skipped, as_text=self._preprocess.text_columns)


def labels_of(classes: tuple[str, ...], probabilities: Floats) -> list[str]:
    """The most probable class of each row; of equals the first."""
    return [classes[place] for place in probabilities.argmax(axis=1).tolist()]


def _missing(columns: tuple[str, ...]) -> UserInputFailure:
    named = ", ".join(echo(name) for name in columns[:_COLUMNS_NAMED])
    more = f" and {len(columns) - _COLUMNS_NAMED} more" if len(columns) > _COLUMNS_NAMED else ""
    word = "column" if len(columns) == 1 else "columns"
    message = f"the rows lack the {word} {named}{more}; add them, or ask for missing columns to be taken as absent"
    return UserInputFailure("MISSING_COLUMN", message)


def main(arguments: list[str]) -> int:
    """Run from the command line; 2 when the arguments or files are wrong."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m trainer_host.recipes.tabular_train.predict BUNDLE_DIR ROWS\n")
        return 2
    try:
        predictor, path = Predictor.of_folder(Path(arguments[0])), Path(arguments[1])
        rows = predictor.read(open_source(path, path.suffix or ".csv"))
    except (HeadwayError, RecipeFailure, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    answers = [answer for chunk in predictor.answers(rows.features) for answer in _as_json(predictor.classes, chunk)]
    sys.stdout.write(json.dumps(answers, indent=1) + "\n")
    return 0


def _as_json(classes: tuple[str, ...], answers: Floats) -> Iterator[dict[str, object]]:
    if not classes:
        yield from ({"prediction": number} for number in answers[:, 0].tolist())
        return
    for label, row in zip(labels_of(classes, answers), answers.tolist(), strict=True):
        yield {"prediction": label, "probabilities": dict(zip(classes, row, strict=True))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
