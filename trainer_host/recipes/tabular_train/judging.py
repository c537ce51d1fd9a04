"""Judges a trained model: every figure of the result, from the three parts of the data."""

import numpy as np

from headway.contract.recipes import RecipeResult
from trainer_host.recipes.tabular_train import evaluation
from trainer_host.recipes.tabular_train.evaluation import EpochEntry, Metrics, TestFigures
from trainer_host.recipes.tabular_train.loop import History, mean_loss, outputs_of
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import JudgingLoss, plain_loss
from trainer_host.recipes.tabular_train.preparation import Data, Tensors
from trainer_host.recipes.tabular_train.preprocess import Preprocess


def judge(
    model: TabularModel,
    preprocess: Preprocess,
    data: Data,
    tensors: Tensors,
    history: History,
    *,
    loss: JudgingLoss = plain_loss,
) -> Metrics:
    """Every figure of a model that is in its best state; `loss` is what its losses say."""
    outputs = outputs_of(model, tensors.test.features).cpu().numpy()
    figures = test_figures(outputs, preprocess, data)
    split = data.split
    return Metrics(
        task=data.labels.task,
        train_loss=mean_loss(model, tensors.train, loss),
        test_loss=mean_loss(model, tensors.test, loss),
        validation_loss=mean_loss(model, tensors.validation, loss) if split.validation.size else None,
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
        calibration=figures.calibration,
        history=tuple(
            EpochEntry(
                epoch=entry.epoch,
                train_loss=evaluation.finite(entry.train_loss),
                validation_loss=None if entry.validation_loss is None else evaluation.finite(entry.validation_loss),
            )
            for entry in history.epochs
        ),
    )


def test_figures(outputs: evaluation.Outputs, preprocess: Preprocess, data: Data) -> TestFigures:
    """What outputs for the test rows are worth: rows x outputs."""
    target, labels, split = preprocess.target, data.labels, data.split
    if target.task == "classification":
        return evaluation.classification_figures(
            outputs, labels.indices[split.test], labels.indices[split.train], target.classes
        )
    return evaluation.regression_figures(
        outputs, labels.values[split.test], labels.values[split.train], mean=target.mean, scale=target.scale
    )


def result_of(metrics: Metrics) -> RecipeResult:
    """The scalars among the figures; those that are not finite are left out."""
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
