"""Does once what makes the first training in a process slow, before there is an order to train."""

import torch

from headway.contract.architectures import Architecture
from headway.v1.job_specs_pb2 import TABULAR_TASK_AUTO
from trainer_host.recipes.tabular_train.ensembles import boosted_answers
from trainer_host.recipes.tabular_train.fitting import fit
from trainer_host.recipes.tabular_train.gradients import gradients_of
from trainer_host.recipes.tabular_train.loop import Rows, mean_loss
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import plain_loss
from trainer_host.recipes.tabular_train.optimizer import Adam
from trainer_host.recipes.tabular_train.sources import TypedSource
from trainer_host.recipes.tabular_train.split import split_rows
from trainer_host.recipes.tabular_train.table import read_table
from trainer_host.recipes.tabular_train.target import fit_target, read_target


def warm_up() -> None:
    """Prepare a tiny table, and take a step of both tasks; the global random state is left as it was."""
    _prepare_a_little()
    with torch.random.fork_rng(devices=[]):
        _train_a_little(torch.zeros(8, dtype=torch.int64))
        _train_a_little(torch.zeros(8, 1))


def _prepare_a_little() -> None:
    source = TypedSource(["number", "text", "label"], [list(range(8)), list("aabbaabb"), list("xyxyxyxy")])
    table = read_table(source)
    labels = read_target("label", table.texts["label"], TABULAR_TASK_AUTO)
    split = split_rows(table.num_rows, labels.indices, test_size=0.25, seed=0)
    target = fit_target(labels, split.train)
    preprocess, _ = fit(table.take(split.train), target=target, dates=(), excluded=())
    features = preprocess.features(table)
    # The first trees of a process take twice as long: what they touch must be copied or loaded.
    boosted_answers(features, labels.indices, features, num_classes=2, seed=0, check_stop=lambda: None)


def _train_a_little(targets: torch.Tensor) -> None:
    has_classes = not targets.is_floating_point()
    architecture = Architecture(
        kind="tabular_train",
        mode="mlp_dense",
        input_dim=4,
        output_dim=2 if has_classes else 1,
        hidden_dim=8,
        num_hidden_layers=1,
        task="classification" if has_classes else "regression",
        classes=("a", "b") if has_classes else None,
    )
    model = TabularModel(architecture)
    optimizer = Adam(list(model.parameters()), learning_rate=0.001, weight_decay=0.0)
    rows = Rows(torch.ones(8, 4), targets)
    _, gradients = gradients_of(model, plain_loss)(rows.features, targets, None)
    optimizer.step(gradients)
    mean_loss(model, rows)
