"""Writes the files of a tabular bundle: weights, architecture, preprocessing, figures, history, plot. No pickles."""

import csv
import io
import math
from pathlib import Path

from safetensors.torch import save_file

from headway.contract.architectures import Architecture
from headway.contract.manifest import MODEL_PATH, WEIGHTS_PATH
from trainer_host.recipes.tabular_train.evaluation import METRICS_PATH, Metrics
from trainer_host.recipes.tabular_train.loop import History
from trainer_host.recipes.tabular_train.loss_plot import draw_losses
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preprocess import PREPROCESS_PATH, Preprocess

HISTORY_PATH = "history.csv"
PLOT_PATH = "loss.svg"


def write_weights(folder: Path, model: TabularModel) -> int:
    """Write the weights; returns the size of their file in bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_PATH)
    return (folder / WEIGHTS_PATH).stat().st_size


def write_bundle(
    folder: Path,
    *,
    architecture: Architecture,
    preprocess: Preprocess,
    metrics: Metrics,
    history: History,
) -> None:
    """Write every file of the recipe but the weights; the executor adds the log and the manifest."""
    (folder / MODEL_PATH).write_text(architecture.model_dump_json(exclude_none=True), encoding="utf-8")
    (folder / PREPROCESS_PATH).write_text(preprocess.model_dump_json(indent=1), encoding="utf-8")
    (folder / METRICS_PATH).write_text(metrics.model_dump_json(), encoding="utf-8")
    (folder / HISTORY_PATH).write_text(_history_csv(history), encoding="utf-8", newline="")
    (folder / PLOT_PATH).write_text(_plot(history), encoding="utf-8")


def _history_csv(history: History) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "train_loss", "validation_loss"])
    for entry in history.epochs:
        validation = "" if entry.validation_loss is None else repr(entry.validation_loss)
        writer.writerow([entry.epoch, repr(entry.train_loss), validation])
    return text.getvalue()


def _plot(history: History) -> str:
    train = [(entry.epoch, entry.train_loss) for entry in history.epochs]
    validation = [(entry.epoch, entry.validation_loss) for entry in history.epochs if entry.validation_loss is not None]
    series = {"train": train, "validation": validation}
    return draw_losses(
        {name: [point for point in points if math.isfinite(point[1])] for name, points in series.items()},
        history.best_epoch,
    )
