import pytest
import torch
from torch import nn

from headway.contract import architectures
from headway.contract.architectures import Architecture, check_tensors, expected_tensors
from headway.contract.specs.tabular_train import AVAILABLE_MODES, num_parameters, resolve
from headway.v1.job_specs_pb2 import TabularTrainSpec
from trainer_host.recipes.tabular_train.dropout import Noise
from trainer_host.recipes.tabular_train.model import ForwardPass, ResidualBlock, TabularModel

DTYPES = {torch.float32: "F32", torch.int64: "I64"}


def an_architecture(mode: str, num_hidden_layers: int = 2, dropout: float = 0.1) -> Architecture:
    return Architecture.model_validate(
        {
            "kind": "tabular_train",
            "mode": mode,
            "input_dim": 5,
            "output_dim": 3,
            "hidden_dim": 8,
            "num_hidden_layers": num_hidden_layers,
            "dropout": dropout,
            "task": "classification",
            "classes": ("a", "b", "c"),
        },
        strict=False,
    )


@pytest.mark.parametrize("mode", AVAILABLE_MODES)
@pytest.mark.parametrize("num_hidden_layers", [1, 2, 15])
def test_the_tensors_are_those_that_the_contract_lists(mode: str, num_hidden_layers: int) -> None:
    architecture = an_architecture(mode, num_hidden_layers)
    state = TabularModel(architecture).state_dict()

    found = {name: (DTYPES[tensor.dtype], tuple(tensor.shape)) for name, tensor in state.items()}
    check_tensors(architecture, found)
    assert list(found) == list(expected_tensors(architecture))


@pytest.mark.parametrize("mode", AVAILABLE_MODES)
def test_the_number_of_parameters_is_the_one_that_admission_and_the_contract_count(mode: str) -> None:
    architecture = an_architecture(mode)
    trainable = sum(parameter.numel() for parameter in TabularModel(architecture).parameters())
    spec = resolve(TabularTrainSpec(target_column="y", training_mode=mode, hidden_dim=8, num_hidden_layers=2))
    assert num_parameters(spec, input_dim=5, output_dim=3) == trainable
    assert architectures.num_parameters(architecture) == trainable


class Dropout(nn.Module):
    """Draws from the global generator what the forward pass draws."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.noise = Noise(share)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden * self.noise(*hidden.shape) if self.training else hidden


class Residual(nn.Module):
    """A block as a reader of the paper would write it."""

    def __init__(self, block: ResidualBlock, dropout: float) -> None:
        super().__init__()
        parts: list[nn.Module] = [block.norm, block.first, nn.ReLU(), Dropout(dropout), block.second]
        self.inner = nn.Sequential(*parts, Dropout(dropout))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        added: torch.Tensor = self.inner(hidden)
        return hidden + added


def as_modules(model: TabularModel) -> nn.Sequential:
    if model.input is not None and model.norm is not None:
        blocks = [Residual(block, model.dropout) for block in model.residual_blocks]
        return nn.Sequential(model.input, *blocks, model.norm, nn.ReLU(), model.output)
    parts: list[nn.Module] = []
    for layer in model.dense_layers:
        parts += [layer.linear, layer.norm, nn.ReLU(), Dropout(model.dropout)]
    return nn.Sequential(*parts, model.output)


@pytest.mark.parametrize("mode", ["mlp_dense", "tabresnet", "linear_glm_baseline"])
@pytest.mark.parametrize("training", [True, False])
def test_the_forward_pass_is_that_of_the_usual_modules(mode: str, training: bool) -> None:
    torch.manual_seed(0)
    model = TabularModel(an_architecture(mode))
    features = torch.randn(16, 5)
    usual = as_modules(model).train(training)

    torch.manual_seed(1)
    ours = ForwardPass(model)(features, training=training)
    torch.manual_seed(1)
    theirs = usual(features)

    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["mlp_dense", "tabresnet"])
def test_the_gradients_are_those_of_the_usual_modules(mode: str) -> None:
    torch.manual_seed(0)
    model = TabularModel(an_architecture(mode, dropout=0.0))
    features = torch.randn(16, 5)
    gradients = []
    for outputs in (ForwardPass(model)(features, training=True), as_modules(model)(features)):
        model.zero_grad()
        torch.autograd.backward(outputs.square().sum())
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("mode", "num_norms"), [("mlp_dense", 2), ("tabresnet", 3), ("linear_glm_baseline", 0)])
def test_every_normalisation_notes_how_many_batches_it_has_seen(mode: str, num_norms: int) -> None:
    model = TabularModel(an_architecture(mode))
    model.count_batches(7)
    counted = [int(tensor) for name, tensor in model.state_dict().items() if name.endswith("num_batches_tracked")]
    assert counted == [7] * num_norms
