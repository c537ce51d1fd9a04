"""From the file to tensors on the device: reads the table, splits its rows, fits and applies the preprocessing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.recipes import AttemptContext
from headway.contract.specs.tabular_train import TabularTrain, check_feature_columns
from trainer_host.recipes.tabular_train.fitting import find_date_formats, fit
from trainer_host.recipes.tabular_train.loop import Rows
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.sources import open_source
from trainer_host.recipes.tabular_train.split import Split, split_rows
from trainer_host.recipes.tabular_train.table import Table, read_table
from trainer_host.recipes.tabular_train.target import Labels, fit_target, read_target

TABLE_ROLE = "table"


@dataclass(frozen=True, slots=True)
class Data:
    """A table that is ready for training.

    Attributes:
        table: rows that have a target.
        labels: their targets.
        split: what each row is used for.
        num_dropped: rows without a target.
    """

    table: Table
    labels: Labels
    split: Split
    num_dropped: int


@dataclass(frozen=True, slots=True)
class Tensors:
    """The three parts on the device."""

    train: Rows
    validation: Rows
    test: Rows


def load(context: AttemptContext, spec: TabularTrain) -> Data:
    """Read the table, find out its task, and split its rows; refuses what cannot be learned (USER_INPUT)."""
    item = context.input(TABLE_ROLE)
    source = open_source(item.path, item.format or item.file_name.rpartition(".")[2], spec.sheet_name)
    check_feature_columns(context.spec.tabular_train, "tabular_train", source.columns)
    table = read_table(source, skipped=spec.exclude_columns, as_text=(spec.target_column, *spec.date_columns))
    for warning in table.warnings:
        context.warn(warning)
    texts = table.texts[spec.target_column]
    kept = np.array([row for row, text in enumerate(texts) if text is not None], dtype=np.int64)
    num_dropped = table.num_rows - kept.size
    if num_dropped:
        context.warn(f"{num_dropped} of {table.num_rows} rows are left out because they have no target.")
        table = table.take(kept)
    labels = read_target(spec.target_column, table.texts[spec.target_column], spec.task)
    split = split_rows(table.num_rows, labels.indices, test_size=spec.test_size, seed=spec.random_seed)
    context.detail(
        f"{table.num_rows} rows, {len(source.columns)} columns", task=labels.task, classes=len(labels.classes)
    )
    return Data(table, labels, split, num_dropped)


def prepare(context: AttemptContext, spec: TabularTrain, data: Data) -> tuple[Preprocess, Tensors]:
    """Fit the preprocessing to the training rows, and apply it to all."""
    dates = find_date_formats(data.table, spec.date_columns)
    target = fit_target(data.labels, data.split.train)
    preprocess, warnings = fit(
        data.table.take(data.split.train), target=target, dates=dates, excluded=spec.exclude_columns
    )
    for warning in warnings:
        context.warn(warning)
    features = torch.from_numpy(preprocess.features(data.table))
    targets = _targets(preprocess, data.labels)

    def rows(positions: NDArray[np.int64]) -> Rows:
        chosen = torch.from_numpy(positions)
        return Rows(features[chosen].to(context.device), targets[chosen].to(context.device))

    split = data.split
    context.detail(
        f"{features.shape[1]} features",
        train=split.train.size,
        validation=split.validation.size,
        test=split.test.size,
    )
    return preprocess, Tensors(rows(split.train), rows(split.validation), rows(split.test))


def _targets(preprocess: Preprocess, labels: Labels) -> torch.Tensor:
    if labels.task == "classification":
        return torch.from_numpy(labels.indices)
    target = preprocess.target
    # Divided before they are subtracted, so that targets near the largest double do not overflow.
    standardised = labels.values / target.scale - target.mean / target.scale
    return torch.from_numpy(standardised.astype(np.float32)).unsqueeze(1)
