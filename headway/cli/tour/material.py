"""What the demo works with: a real table, a good job file and a bad one, written where the user can look at them."""

import csv
import itertools
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from headway.contract.errors import Code, HeadwayError

TARGET = "diagnosis"
MODEL_ID = "breast-cancer"
_MEASURES = (
    *("radius", "texture", "perimeter", "area", "smoothness"),
    *("compactness", "concavity", "concave points", "symmetry", "fractal dimension"),
)
# In scikit-learn's order: means, then standard errors, then worst values.
COLUMNS = tuple(f"{kind} {measure}" for kind, measure in itertools.product(("mean", "error of", "worst"), _MEASURES))
_CLASSES = {"0": "malignant", "1": "benign"}

_JOB = f"""\
# What `headway demo` trained. Again: headway submit job.yaml --wait
display_name: breast cancer, first try
tags: [demo]
execution_mode: auto
tabular_train:
  data_path: breast_cancer.csv   # beside this file: it is uploaded as a dataset
  target_column: {TARGET}
  task: classification
  epochs: 200
  batch_size: 32
  hidden_dim: 64
  num_hidden_layers: 2
  dropout: 0.2
  learning_rate: 0.0005
  random_seed: 42
  model_id: {MODEL_ID}
"""
_BAD_JOB = f"""\
# The same with three mistakes, to see how they are answered.
display_name: breast cancer, with mistakes
tabular_train:
  data_path: breast_cancer.csv
  target_column: {TARGET}
  epochs: 9000
  batch_size: 0
  learning_rate: 5
"""


class NoSampleData(HeadwayError):
    """scikit-learn, whose data the demo trains on, is not installed."""

    reason = "NO_SAMPLE_DATA"
    code = Code.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Material:
    """Where the demo's files lie.

    Attributes:
        folder: of all of them.
        table: the data.
        job: a job file that is right.
        bad_job: one with mistakes.
        rows: three rows to predict, without their answers.
        answers: what is true of those rows.
    """

    folder: Path
    table: Path
    job: Path
    bad_job: Path
    rows: Path
    answers: tuple[str, ...]


def write_material(folder: Path) -> Material:
    """Write the demo's files, over those of an earlier demo.

    Raises:
        NoSampleData: scikit-learn is not installed.
        OSError: the folder cannot be written.
    """
    rows = read_sample()
    folder.mkdir(parents=True, exist_ok=True)
    # Spread over the table; the first rows are all of one class.
    chosen = [rows[index] for index in (1, 60, 560)]
    material = Material(
        folder,
        folder / "breast_cancer.csv",
        folder / "job.yaml",
        folder / "job-with-mistakes.yaml",
        folder / "rows.csv",
        tuple(row[-1] for row in chosen),
    )
    _write_csv(material.table, (*COLUMNS, TARGET), rows)
    _write_csv(material.rows, COLUMNS, [row[:-1] for row in chosen])
    material.job.write_text(_JOB, encoding="utf-8")
    material.bad_job.write_text(_BAD_JOB, encoding="utf-8")
    return material


def read_sample() -> list[list[str]]:
    """scikit-learn's breast cancer table (BSD-3), read as a file: importing scikit-learn would take a second.

    Returns:
        569 rows of 30 measures and the diagnosis in words.

    Raises:
        NoSampleData: scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise NoSampleData("the demo trains on a table of scikit-learn; run: pip install 'headway[host]'")
    path = Path(found.origin).parent / "datasets" / "data" / "breast_cancer.csv"
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [[*row[:-1], _CLASSES[row[-1]]] for row in rows]


def _write_csv(path: Path, header: tuple[str, ...], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
