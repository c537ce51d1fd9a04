"""Real tables for tests: files that scikit-learn and statsmodels ship (BSD-3), read without importing them, as CSV.

The column to predict is always called `target`.
"""

import csv
import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

Rows = list[list[str]]
Read = tuple[list[str], Rows]
"""Header, empty where the file names no columns, and rows."""

NAMES = ("iris", "wine", "breast_cancer", "diabetes", "digits", "fair", "randhie")
"""fair: 6,366 marriages, and whether there was an affair; randhie: 20,190 people, and how often they saw a doctor."""


def write_table(name: str, folder: Path) -> Path:
    """Write one of NAMES as `<name>.csv`."""
    header, rows = _READERS[name]()
    header = header or [*(f"x{index}" for index in range(1, len(rows[0]))), "target"]
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return path


def _package_file(name: str, package: str = "sklearn") -> Path:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "datasets" / name


def _with_class_names(file_name: str) -> Callable[[], Read]:
    def read() -> Read:
        lines = _package_file(f"data/{file_name}").read_text(encoding="utf-8").split()
        _, _, *classes = lines[0].split(",")
        rows = [line.split(",") for line in lines[1:]]
        return [], [[*row[:-1], classes[int(row[-1])]] for row in rows]

    return read


def _digits() -> Read:
    lines = gzip.decompress(_package_file("data/digits.csv.gz").read_bytes()).decode().split()
    rows = [line.split(",") for line in lines]
    return [], [[*row[:-1], str(int(float(row[-1])))] for row in rows]


def _diabetes() -> Read:
    features = gzip.decompress(_package_file("data/diabetes_data_raw.csv.gz").read_bytes()).decode().splitlines()
    targets = gzip.decompress(_package_file("data/diabetes_target.csv.gz").read_bytes()).decode().split()
    return [], [[*row.split(), str(float(target))] for row, target in zip(features, targets, strict=True)]


def _fair() -> Read:
    header, *rows = _statsmodels_table("fair")
    return [*header[:-1], "target"], [[*row[:-1], "yes" if float(row[-1]) > 0 else "no"] for row in rows]


def _randhie() -> Read:
    header, *rows = _statsmodels_table("randhie")
    return [*header[1:], "target"], [[*row[1:], row[0]] for row in rows]


def _statsmodels_table(name: str) -> Rows:
    with _package_file(f"{name}/{name}.csv", "statsmodels").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


_READERS: dict[str, Callable[[], Read]] = {
    "iris": _with_class_names("iris.csv"),
    "wine": _with_class_names("wine_data.csv"),
    "breast_cancer": _with_class_names("breast_cancer.csv"),
    "diabetes": _diabetes,
    "digits": _digits,
    "fair": _fair,
    "randhie": _randhie,
}
