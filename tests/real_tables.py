"""Real tables for tests: the files that scikit-learn ships (BSD-3), read without importing it, written as CSV.

The column to predict is always called `target`.
"""

import csv
import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

Rows = list[list[str]]

NAMES = ("iris", "wine", "breast_cancer", "diabetes", "digits")


def write_table(name: str, folder: Path) -> Path:
    """Write one of NAMES as `<name>.csv`."""
    rows = _READERS[name]()
    header = [*(f"x{index}" for index in range(1, len(rows[0]))), "target"]
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def _package_file(name: str) -> Path:
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / "data" / name


def _with_class_names(file_name: str) -> Callable[[], Rows]:
    def read() -> Rows:
        lines = _package_file(file_name).read_text(encoding="utf-8").split()
        _, _, *classes = lines[0].split(",")
        rows = [line.split(",") for line in lines[1:]]
        return [[*row[:-1], classes[int(row[-1])]] for row in rows]

    return read


def _digits() -> Rows:
    lines = gzip.decompress(_package_file("digits.csv.gz").read_bytes()).decode().split()
    rows = [line.split(",") for line in lines]
    return [[*row[:-1], str(int(float(row[-1])))] for row in rows]


def _diabetes() -> Rows:
    features = gzip.decompress(_package_file("diabetes_data_raw.csv.gz").read_bytes()).decode().splitlines()
    targets = gzip.decompress(_package_file("diabetes_target.csv.gz").read_bytes()).decode().split()
    return [[*row.split(), str(float(target))] for row, target in zip(features, targets, strict=True)]


_READERS: dict[str, Callable[[], Rows]] = {
    "iris": _with_class_names("iris.csv"),
    "wine": _with_class_names("wine_data.csv"),
    "breast_cancer": _with_class_names("breast_cancer.csv"),
    "diabetes": _diabetes,
    "digits": _digits,
}
