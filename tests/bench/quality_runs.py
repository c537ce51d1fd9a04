"""One table, several seeds: headway's tabular models beside scikit-learn's, on the same rows.

`python -m tests.bench.quality_runs TABLE SEED...` prints test metrics by seed and model. scikit-learn gets the
same preprocessing, and every row that is not a test row: it needs none to choose an epoch with. A number to predict is
standardised for it too, without which its network hardly learns. Everything runs in one thread.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from headway.contract.recipes import RecipeInput
from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import (
    NUMBER_EMBEDDING_PIECEWISE_LINEAR,
    TABULAR_TASK_CLASSIFICATION,
    TABULAR_TASK_REGRESSION,
    JobSpec,
    TabularTrainSpec,
)
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train.loop import TrainingLoop
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preparation import load, prepare, targets_of
from trainer_host.recipes.tabular_train.recipe import make_recipe
from trainer_host.recipes.tabular_train.spec import configure_loop, configure_model, resolve_spec

Matrix = NDArray[np.float32]
Targets = NDArray[np.int64] | NDArray[np.float64]

SETTINGS: dict[str, TabularTrainSpec] = {
    "mlp_dense, defaults": TabularTrainSpec(),
    "mlp_dense": TabularTrainSpec(dropout=0.5, patience=50),
    "mlp_dense, embedded": TabularTrainSpec(patience=16, number_embedding=NUMBER_EMBEDDING_PIECEWISE_LINEAR),
    "tabresnet": TabularTrainSpec(training_mode="tabresnet", patience=16),
}
"""The specs that are compared: the seed's defaults, and what docs/kinds/tabular.md advises to take."""
REGRESSIONS = frozenset({"diabetes", "randhie"})
_ROUNDS = 5
MLP, TREE = "scikit-learn MLP", "scikit-learn boosted tree"


class Estimator(Protocol):
    """What is used of scikit-learn."""

    def fit(self, features: Matrix, targets: Targets, /) -> object: ...
    def predict(self, features: Matrix, /) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """A table as scikit-learn takes it; a number to predict is standardised, `scale` being its unit."""

    train: Matrix
    train_targets: Targets
    test: Matrix
    test_targets: Targets
    scale: float
    is_classification: bool


def context_for(table: Path, spec: TabularTrainSpec, folder: Path) -> SilentContext:
    """A context that trains one spec on one table."""
    item = RecipeInput(table, "csv", table.name)
    return SilentContext(spec=JobSpec(tabular_train=spec), inputs={"table": item}, folder=folder)


def spec_for(name: str, seed: int, setting: TabularTrainSpec) -> TabularTrainSpec:
    """A setting for one table and seed, without what is measured beside it."""
    is_classification = name not in REGRESSIONS
    spec = TabularTrainSpec(
        target_column="target",
        random_seed=seed,
        boosted_tree_baseline=False,
        task=TABULAR_TASK_CLASSIFICATION if is_classification else TABULAR_TASK_REGRESSION,
    )
    spec.MergeFrom(setting)
    return spec


def run_ours(table: Path, spec: TabularTrainSpec) -> float:
    """The test metric of one training."""
    torch.manual_seed(spec.random_seed)
    with TemporaryDirectory() as folder:
        return make_recipe().train(context_for(table, spec, Path(folder))).headline_value


def parts_of(table: Path, spec: TabularTrainSpec) -> Parts:
    """The same rows and features for scikit-learn."""
    context = context_for(table, spec, Path())
    resolved = resolve_spec(context.spec)
    data = load(context, resolved)
    preprocess, _ = prepare(context, resolved, data)
    features = preprocess.plain_features(data.table)
    targets = targets_of(preprocess, data.labels).numpy().reshape(-1)
    is_classification = data.labels.task == "classification"
    whole: Targets = targets.astype(np.int64) if is_classification else targets.astype(np.float64)
    rest = np.concatenate([data.split.train, data.split.validation])
    test = data.split.test
    return Parts(features[rest], whole[rest], features[test], whole[test], preprocess.target.scale, is_classification)


def run_theirs(parts: Parts, make: Callable[[], Estimator]) -> float:
    """The same test metric of one of scikit-learn's models."""
    estimator = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(parts.train, parts.train_targets)
    answers = estimator.predict(parts.test)
    if parts.is_classification:
        return float((answers == parts.test_targets).mean())
    return float(np.sqrt(((answers - parts.test_targets) ** 2).mean())) * parts.scale


def run_seed(name: str, table: Path, seed: int) -> dict[str, float]:
    """Every model's test metric."""
    parts = parts_of(table, spec_for(name, seed, TabularTrainSpec()))
    network = MLPClassifier if parts.is_classification else MLPRegressor
    trees = HistGradientBoostingClassifier if parts.is_classification else HistGradientBoostingRegressor
    found = {label: run_ours(table, spec_for(name, seed, setting)) for label, setting in SETTINGS.items()}
    found[MLP] = run_theirs(parts, lambda: network(random_state=seed))
    found[TREE] = run_theirs(parts, lambda: trees(random_state=seed))
    return found


def time_training(name: str, table: Path, epochs: int) -> tuple[float, float]:
    """Seconds of the epochs of ours and of scikit-learn's network: same rows, features, batches and hidden layers."""
    spec = spec_for(name, 0, TabularTrainSpec(epochs=epochs))
    context = context_for(table, spec, Path())
    resolved = resolve_spec(context.spec)
    data = load(context, resolved)
    preprocess, tensors = prepare(context, resolved, data)
    network = MLPClassifier if data.labels.task == "classification" else MLPRegressor
    theirs: Estimator = network(
        hidden_layer_sizes=(resolved.hidden_dim,) * resolved.num_hidden_layers,
        batch_size=resolved.batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
    )
    features, targets = tensors.train.features.numpy(), tensors.train.targets.numpy().reshape(-1)
    model = TabularModel(configure_model(resolved, preprocess))
    loop = TrainingLoop(model, configure_loop(resolved, len(tensors.train)), context, 0)
    start = time.perf_counter()
    loop.run(tensors.train, tensors.validation)
    middle = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(features, targets)
    return middle - start, time.perf_counter() - middle


def main(name: str, arguments: list[str]) -> None:
    """Measure one table, and print: metrics of some seeds, or with `t60` the seconds of 60 epochs, several times."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        table = write_table(name, Path(folder))
        if arguments[0].startswith("t"):
            epochs = int(arguments[0].removeprefix("t"))
            time_training(name, table, 1)
            found: object = [time_training(name, table, epochs) for _ in range(_ROUNDS)]
        else:
            found = {seed: run_seed(name, table, int(seed)) for seed in arguments}
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
