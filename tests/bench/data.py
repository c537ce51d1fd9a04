"""The data of the benchmarks: scikit-learn's files as CSV."""

from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_digits, load_iris


def write_iris(folder: Path) -> Path:
    """Iris: 150 rows, 4 features, 3 classes."""
    return _write(folder / "iris.csv", "iris")


def write_breast_cancer(folder: Path) -> Path:
    """Breast cancer: 569 rows, 30 features, 2 classes."""
    return _write(folder / "breast_cancer.csv", "breast_cancer")


def write_digits(folder: Path) -> Path:
    """Digits: 1,797 rows, 64 features, 10 classes."""
    return _write(folder / "digits.csv", "digits")


def _write(path: Path, name: str) -> Path:
    loaded = {"iris": load_iris, "breast_cancer": load_breast_cancer, "digits": load_digits}[name]()
    header = [*(str(column) for column in loaded.feature_names), "target"]
    rows = [[*map(repr, map(float, row)), str(target)] for row, target in zip(loaded.data, loaded.target, strict=True)]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
    return path
