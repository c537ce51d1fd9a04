"""One cluster of real processes for all end-to-end tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from headway.testing.cluster import Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Everything on one machine, with short leases."""
    with Cluster(tmp_path_factory.mktemp("cluster"), {"HEADWAY_SCHEDULER__LEASE_SECONDS": "6"}) as running:
        yield running


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scikit-learn's iris, breast cancer and diabetes files as CSV, target column `target`."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("iris", "breast_cancer", "diabetes"):
        write_csv(folder / f"{name}.csv", name)
    return folder


def write_csv(path: Path, name: str) -> None:
    """Write one of scikit-learn's data sets as CSV."""
    loaded = {"iris": load_iris, "breast_cancer": load_breast_cancer, "diabetes": load_diabetes}[name]()
    header = [*(str(column).replace(",", " ") for column in loaded.feature_names), "target"]
    rows = [[*map(repr, map(float, row)), str(target)] for row, target in zip(loaded.data, loaded.target, strict=True)]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n", encoding="utf-8")
