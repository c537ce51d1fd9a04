"""Writes the tables of the examples beside them: scikit-learn's data sets (BSD-3), as CSV.

`python examples/write_data.py [FOLDER]`
"""  # noqa: INP001 - a script, not a package

import csv
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris


def main(folder: Path) -> None:
    """Write every table."""
    iris, cancer, diabetes, digits = load_iris(), load_breast_cancer(), load_diabetes(scaled=False), load_digits()
    _write(folder / "iris.csv", [*iris.feature_names, "species"], iris.data, iris.target_names[iris.target])
    diagnoses = cancer.target_names[cancer.target]
    _write(folder / "breast_cancer.csv", [*cancer.feature_names, "diagnosis"], cancer.data, diagnoses)
    _write(folder / "diabetes.csv", [*diabetes.feature_names, "progression"], diabetes.data, diabetes.target)
    _write(folder / "digits.csv", [*digits.feature_names, "digit"], digits.data, digits.target)


def _write(path: Path, header: list[str], features: "list[list[float]]", targets: "list[object]") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([*map(float, row), target] for row, target in zip(features, targets, strict=True))
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
