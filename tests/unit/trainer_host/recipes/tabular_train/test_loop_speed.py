"""The loop is at least as fast as a bare PyTorch loop of the same model, rows and batches."""

import statistics
import time

import pytest
import torch
from torch import nn

from headway.contract.architectures import Architecture
from headway.testing.attempts import SilentContext
from trainer_host.recipes.tabular_train.loop import Rows, TrainingLoop
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.spec import LoopConfig, batch_sizes

LEAST_RATIO = 0.95


@pytest.mark.bench
@pytest.mark.parametrize(
    ("num_rows", "num_features", "num_classes", "epochs"),
    [(108, 4, 3, 200), (409, 30, 2, 60), (1294, 64, 10, 20), (16_000, 40, 2, 2)],
)
def test_epochs_a_second_are_those_of_a_bare_loop(
    num_rows: int, num_features: int, num_classes: int, epochs: int
) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(num_rows, num_features, generator=generator)
    labels = torch.randint(0, num_classes, (num_rows,), generator=generator)
    bare, ours = [], []
    for _ in range(7):
        bare.append(_time_bare(features, labels, num_classes, epochs))
        ours.append(_time_ours(features, labels, num_classes, epochs))

    ratio = statistics.median(bare) / statistics.median(ours)

    print(f"{num_rows} rows: {epochs / statistics.median(ours):.0f} epochs/s, {ratio:.2f} of a bare loop")
    assert ratio >= LEAST_RATIO


def _time_bare(features: torch.Tensor, labels: torch.Tensor, num_classes: int, epochs: int) -> float:
    layers: list[nn.Module] = []
    width = features.shape[1]
    for _ in range(2):
        layers += [nn.Linear(width, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.1)]
        width = 128
    model = nn.Sequential(*layers, nn.Linear(width, num_classes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=1e-4, fused=True)
    loss_of = nn.CrossEntropyLoss()
    begin = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(features))
        shuffled, shuffled_labels = features[order], labels[order]
        for start in range(0, len(features), 64):
            optimizer.zero_grad()
            loss = loss_of(model(shuffled[start : start + 64]), shuffled_labels[start : start + 64])
            torch.autograd.backward(loss)
            optimizer.step()
    return time.perf_counter() - begin


def _time_ours(features: torch.Tensor, labels: torch.Tensor, num_classes: int, epochs: int) -> float:
    architecture = Architecture(
        kind="tabular_train",
        mode="mlp_dense",
        input_dim=features.shape[1],
        output_dim=num_classes,
        task="classification",
        classes=tuple(str(index) for index in range(num_classes)),
    )
    sizes = batch_sizes(len(features), 64, least=2)
    config = LoopConfig(epochs, sizes, 0.001, 1e-4, epochs_between_validations=max(1, -(-16 // len(sizes))))
    validation = Rows(features[: len(features) // 9], labels[: len(features) // 9])
    loop = TrainingLoop(TabularModel(architecture), config, SilentContext(), seed=0)
    begin = time.perf_counter()
    loop.run(Rows(features, labels), validation)
    return time.perf_counter() - begin
