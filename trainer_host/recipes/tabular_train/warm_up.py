"""Does once what makes the first training in a process slow, before there is an order to train."""

import torch

from headway.contract.architectures import Architecture
from headway.v1.job_specs_pb2 import TABULAR_TASK_AUTO
from trainer_host.recipes.tabular_train.fitting import fit
from trainer_host.recipes.tabular_train.loop import Rows, loss_function, mean_loss
from trainer_host.recipes.tabular_train.model import ForwardPass, TabularModel
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
    table = read_table(source, as_text=["label"])
    labels = read_target("label", table.texts["label"], TABULAR_TASK_AUTO)
    split = split_rows(table.num_rows, labels.indices, test_size=0.25, seed=0)
    target = fit_target(labels, split.train)
    preprocess, _ = fit(table.take(split.train), target=target, dates=(), excluded=())
    preprocess.features(table)


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
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    rows = Rows(torch.ones(8, 4), targets)
    loss = loss_function(targets)(ForwardPass(model)(rows.features, training=True), targets)
    torch.autograd.backward(loss)
    optimizer.step()
    mean_loss(model, rows)
