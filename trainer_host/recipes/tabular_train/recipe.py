"""The recipe of kind `tabular_train`: its steps, in order."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.recipes import AttemptContext, Phase, RecipeNeeds, RecipeResult
from headway.contract.specs.tabular_train import TabularTrain, check_feature_columns
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.recipes.tabular_train import evaluation
from trainer_host.recipes.tabular_train.bundle import write_bundle
from trainer_host.recipes.tabular_train.evaluation import EpochEntry, Metrics, TestFigures
from trainer_host.recipes.tabular_train.fitting import find_date_formats, fit
from trainer_host.recipes.tabular_train.loop import History, Rows, TrainingLoop, mean_loss, outputs_of
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.sources import open_source
from trainer_host.recipes.tabular_train.spec import configure_loop, configure_model, resolve_spec
from trainer_host.recipes.tabular_train.split import Split, split_rows
from trainer_host.recipes.tabular_train.table import Table, read_table
from trainer_host.recipes.tabular_train.target import Labels, fit_target, read_target
from trainer_host.recipes.tabular_train.warm_up import warm_up

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


class TabularTrainRecipe:
    """Trains a dense or a linear model on one table."""

    kind = "tabular_train"
    requires = ("torch",)

    def needs(self, spec: JobSpec) -> RecipeNeeds:
        """One thread: a small model is fastest so, and most of all beside other processes."""
        resolved = resolve_spec(spec)
        return RecipeNeeds(seed=resolved.random_seed, device=resolved.device, num_threads=1)

    def warm_up(self) -> None:
        """Train a tiny model for a few steps."""
        warm_up()

    def train(self, context: AttemptContext) -> RecipeResult:
        """Train, and write the bundle."""
        spec = resolve_spec(context.spec)
        context.step("Loading data", Phase.LOADING_DATA)
        data = _load(context, spec)
        context.step("Preparing features", Phase.LOADING_DATA)
        preprocess, tensors = _prepare(context, spec, data)
        context.step("Training", Phase.TRAINING)
        architecture = configure_model(spec, preprocess)
        model = TabularModel(architecture).to(context.device)
        history = _train(context, spec, model, tensors)
        context.step("Evaluating", Phase.EVALUATING)
        metrics = _evaluate(model, preprocess, data, tensors, history)
        context.detail(f"{metrics.test_metric_name} {metrics.test_metric_value:.6g}", test_loss=metrics.test_loss)
        context.step("Writing the bundle", Phase.EXPORTING)
        write_bundle(
            context.bundle_dir,
            model=model,
            architecture=architecture,
            preprocess=preprocess,
            metrics=metrics,
            history=history,
        )
        return _result(metrics)


def make_recipe() -> TabularTrainRecipe:
    """The recipe, for the registry."""
    return TabularTrainRecipe()


def _load(context: AttemptContext, spec: TabularTrain) -> Data:
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


def _prepare(context: AttemptContext, spec: TabularTrain, data: Data) -> tuple[Preprocess, Tensors]:
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


def _train(context: AttemptContext, spec: TabularTrain, model: TabularModel, tensors: Tensors) -> History:
    config = configure_loop(spec, len(tensors.train))
    if config.batch_sizes[0] > spec.batch_size and len(tensors.train) > 1:
        context.detail("a batch of one row joins another: batch normalisation needs two")
    loop = TrainingLoop(model, config, context, spec.random_seed)
    return loop.run(tensors.train, tensors.validation)


def _evaluate(model: TabularModel, preprocess: Preprocess, data: Data, tensors: Tensors, history: History) -> Metrics:
    outputs = outputs_of(model, tensors.test.features).cpu().numpy()
    figures = _figures(outputs, preprocess, data)
    split = data.split
    return Metrics(
        task=data.labels.task,
        train_loss=mean_loss(model, tensors.train),
        test_loss=mean_loss(model, tensors.test),
        validation_loss=mean_loss(model, tensors.validation) if split.validation.size else None,
        test_metric_name=figures.metric_name,
        test_metric_value=figures.metric_value,
        baseline_value=figures.baseline_value,
        best_epoch=history.best_epoch,
        num_epochs=len(history.epochs),
        num_steps=history.num_steps,
        num_rows={
            "train": split.train.size,
            "validation": split.validation.size,
            "test": split.test.size,
            "target_missing": data.num_dropped,
        },
        num_features=len(preprocess.feature_names),
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
        scalars=figures.scalars,
        per_class=figures.per_class,
        confusion_matrix=figures.confusion_matrix,
        history=tuple(
            EpochEntry(
                epoch=entry.epoch,
                train_loss=evaluation.finite(entry.train_loss),
                validation_loss=None if entry.validation_loss is None else evaluation.finite(entry.validation_loss),
            )
            for entry in history.epochs
        ),
    )


def _figures(outputs: evaluation.Outputs, preprocess: Preprocess, data: Data) -> TestFigures:
    target, labels, split = preprocess.target, data.labels, data.split
    if target.task == "classification":
        return evaluation.classification_figures(
            outputs, labels.indices[split.test], labels.indices[split.train], target.classes
        )
    return evaluation.regression_figures(
        outputs, labels.values[split.test], labels.values[split.train], mean=target.mean, scale=target.scale
    )


def _result(metrics: Metrics) -> RecipeResult:
    scalars = {
        "train_loss": metrics.train_loss,
        "test_loss": metrics.test_loss,
        "test_metric_value": metrics.test_metric_value,
        metrics.test_metric_name: metrics.test_metric_value,
        "baseline_value": metrics.baseline_value,
        "best_epoch": float(metrics.best_epoch),
        "num_rows_target_missing": float(metrics.num_rows["target_missing"]),
        **metrics.scalars,
    }
    if metrics.validation_loss is not None:
        scalars["validation_loss"] = metrics.validation_loss
    return RecipeResult(
        task=metrics.task,
        metrics={name: value for name, value in scalars.items() if np.isfinite(value)},
        headline_metric=metrics.test_metric_name,
        headline_value=metrics.test_metric_value,
        num_steps=metrics.num_steps,
    )
