import pytest
import torch

from headway.contract.architectures import Architecture
from trainer_host.recipes.tabular_train.gradients import AutogradGradients, DenseGradients, Gradients, gradients_of
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import (
    TrainingLoss,
    learning_from_teacher,
    plain_loss,
    smoothing_labels,
    soften,
)


def a_model(mode: str = "mlp_dense", *, num_classes: int = 3, dropout: float = 0.1, layers: int = 2) -> TabularModel:
    torch.manual_seed(1)
    architecture = Architecture.model_validate(
        {
            "kind": "tabular_train",
            "mode": mode,
            "input_dim": 5,
            "output_dim": max(1, num_classes),
            "hidden_dim": 16,
            "num_hidden_layers": layers,
            "dropout": dropout,
            "task": "classification" if num_classes else "regression",
            "classes": tuple("abcdefgh"[:num_classes]) if num_classes else None,
        },
        strict=False,
    )
    return TabularModel(architecture)


def a_batch(num_rows: int, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(num_rows)
    features = torch.randn(num_rows, 5, generator=generator)
    if num_classes:
        return features, torch.randint(0, num_classes, (num_rows,), generator=generator)
    return features, torch.randn(num_rows, 1, generator=generator)


@pytest.mark.parametrize("num_rows", [2, 63, 64])
@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.9])
@pytest.mark.parametrize(
    ("mode", "num_classes", "layers"),
    [("mlp_dense", 3, 2), ("mlp_dense", 0, 1), ("mlp_dense", 2, 5), ("linear_glm_baseline", 3, 2)],
)
def test_gradients_by_hand_are_those_of_autograd_bit_for_bit(
    mode: str, num_classes: int, layers: int, dropout: float, num_rows: int
) -> None:
    torch.set_num_threads(1)
    features, targets = a_batch(num_rows, num_classes)
    found = []
    for way in (DenseGradients, AutogradGradients):
        model = a_model(mode, num_classes=num_classes, dropout=dropout, layers=layers)
        compute: Gradients = way(model, plain_loss)
        torch.manual_seed(7)
        loss, gradients = compute(features, targets, None)
        found.append([loss, *gradients, *(tensor for tensor in model.state_dict().values()), torch.rand(3)])
    assert len(found[0]) == len(found[1])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True)), "running statistics too"


@pytest.mark.parametrize("loss", [smoothing_labels(0.05).training, learning_from_teacher(0.3, 2.0).training])
def test_every_loss_goes_through_both_ways_alike(loss: TrainingLoss) -> None:
    features, targets = a_batch(64, 3)
    teacher = soften(torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), 2.0)
    first, second = (
        way(a_model(dropout=0.0), loss)(features, targets, teacher)[1] for way in (DenseGradients, AutogradGradients)
    )
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))


def test_gradients_come_in_the_order_of_the_parameters() -> None:
    model = a_model()
    _, gradients = DenseGradients(model, plain_loss)(*a_batch(64, 3), None)
    assert [gradient.shape for gradient in gradients] == [parameter.shape for parameter in model.parameters()]


def test_only_dense_layers_are_done_by_hand() -> None:
    assert isinstance(gradients_of(a_model(), plain_loss), DenseGradients)
    assert isinstance(gradients_of(a_model("linear_glm_baseline"), plain_loss), DenseGradients)
    assert isinstance(gradients_of(a_model("tabresnet"), plain_loss), AutogradGradients)


def test_a_loss_that_is_not_finite_is_told() -> None:
    features, targets = a_batch(8, 3)
    loss, _ = DenseGradients(a_model(), plain_loss)(features * float("inf"), targets, None)
    assert not torch.isfinite(loss)
