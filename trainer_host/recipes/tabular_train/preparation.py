"""From the file to tensors on the device: reads the table, splits its rows, fits and applies the preprocessing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.errors import echo
from headway.contract.limits import GIB
from headway.contract.recipes import AttemptContext, UserInputFailure
from headway.contract.specs.tabular_train import LINEAR, TabularTrain, check_feature_columns
from headway.v1.job_specs_pb2 import NUMBER_EMBEDDING_PIECEWISE_LINEAR
from trainer_host.recipes.tabular_train.fitting import find_date_formats, fit
from trainer_host.recipes.tabular_train.held_out import HeldOutRows
from trainer_host.recipes.tabular_train.limits import EMBEDDED_MAX_BYTES, FEATURES_MAX_BYTES, MAX_BINS
from trainer_host.recipes.tabular_train.loop import Rows
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.sources import open_source
from trainer_host.recipes.tabular_train.split import Split, split_rows
from trainer_host.recipes.tabular_train.table import Table, read_table
from trainer_host.recipes.tabular_train.target import Labels, fit_target, has_target, read_target

TABLE_ROLE = "table"


@dataclass(frozen=True, slots=True)
class Data:
    """A table that is ready for training.

    Attributes:
        table: rows that have a target, without the target's column.
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
    table = read_table(source, skipped=spec.exclude_columns, as_text=spec.date_columns)
    for warning in table.warnings:
        context.warn(warning)
    kept = np.flatnonzero(has_target(table.column(spec.target_column))).astype(np.int64)
    num_dropped = table.num_rows - kept.size
    if num_dropped:
        context.warn(f"{num_dropped} of {table.num_rows} rows are left out because they have no target.")
        table = table.take(kept)
    labels = read_target(spec.target_column, table.column(spec.target_column), spec.task)
    table = table.without(spec.target_column)
    split = split_rows(table.num_rows, labels.indices, test_size=spec.test_size, seed=spec.random_seed)
    context.detail(
        f"{table.num_rows} rows, {len(source.columns)} columns", task=labels.task, classes=len(labels.classes)
    )
    return Data(table, labels, split, num_dropped)


def prepare(context: AttemptContext, spec: TabularTrain, data: Data) -> tuple[Preprocess, Tensors]:
    """Fit the preprocessing to the training rows, and apply it to all."""
    dates = find_date_formats(data.table, spec.date_columns)
    target = fit_target(data.labels, data.split.train)
    train = data.table.take(data.split.train)
    bins = _max_bins(spec, num_rows=data.table.num_rows, num_numbers=len(train.numbers))
    preprocess, warnings = fit(train, target=target, dates=dates, excluded=spec.exclude_columns, max_bins=bins)
    for warning in warnings:
        context.warn(warning)
    held_out = HeldOutRows.of(context.input(TABLE_ROLE).digest, data.split)
    preprocess = preprocess.model_copy(update={"held_out": held_out})
    check_size(preprocess, data.table.num_rows)
    targets = targets_of(preprocess, data.labels)

    def rows(positions: NDArray[np.int64]) -> Rows:
        # A part at a time: the features of all rows at once would be in memory twice.
        features = torch.from_numpy(preprocess.features(data.table.take(positions)))
        return Rows(features.to(context.device), targets[torch.from_numpy(positions)].to(context.device))

    split = data.split
    context.detail(
        f"{len(preprocess.feature_names)} features",
        train=split.train.size,
        validation=split.validation.size,
        test=split.test.size,
    )
    return preprocess, Tensors(rows(split.train), rows(split.validation), rows(split.test))


def check_size(preprocess: Preprocess, num_rows: int) -> None:
    """Refuse a table whose features would not fit into memory.

    Raises:
        UserInputFailure: TABLE_TOO_LARGE; the columns that most features are made of are named.
    """
    num_features = len(preprocess.feature_names)
    if 4 * num_rows * num_features <= FEATURES_MAX_BYTES:
        return
    widest = sorted(preprocess.blocks.items(), key=lambda item: -len(item[1]))[:3]
    raise UserInputFailure(
        "TABLE_TOO_LARGE",
        f"{num_rows} rows of {num_features} features take more than {FEATURES_MAX_BYTES // GIB} GiB; exclude columns "
        f"that tell little, most features are made of {', '.join(echo(name) for name, _ in widest)}",
    )


def _max_bins(spec: TabularTrain, *, num_rows: int, num_numbers: int) -> int:
    """Bins of each number; 0 where numbers are not embedded, fewer than usual in a table that would grow too large."""
    if spec.number_embedding != NUMBER_EMBEDDING_PIECEWISE_LINEAR or spec.training_mode == LINEAR:
        return 0
    return max(1, min(MAX_BINS, EMBEDDED_MAX_BYTES // (4 * max(1, num_rows * num_numbers))))


def targets_of(preprocess: Preprocess, labels: Labels) -> torch.Tensor:
    """The target of each row as the loss takes it: int64, rows; or float32, rows x 1, standardised."""
    if labels.task == "classification":
        return torch.from_numpy(labels.indices)
    target = preprocess.target
    # Divided before they are subtracted, so that targets near the largest double do not overflow.
    standardised = labels.values / target.scale - target.mean / target.scale
    return torch.from_numpy(standardised.astype(np.float32)).unsqueeze(1)
