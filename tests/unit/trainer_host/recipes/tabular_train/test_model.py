import pytest
import torch
from torch import nn

from headway.contract.architectures import Architecture, check_tensors, expected_tensors
from headway.contract.specs.tabular_train import num_parameters, resolve
from headway.v1.job_specs_pb2 import TabularTrainSpec
from trainer_host.recipes.tabular_train.model import ForwardPass, TabularModel

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


@pytest.mark.parametrize("mode", ["mlp_dense", "linear_glm_baseline"])
@pytest.mark.parametrize("num_hidden_layers", [1, 2, 15])
def test_the_tensors_are_those_that_the_contract_lists(mode: str, num_hidden_layers: int) -> None:
    architecture = an_architecture(mode, num_hidden_layers)
    state = TabularModel(architecture).state_dict()

    found = {name: (DTYPES[tensor.dtype], tuple(tensor.shape)) for name, tensor in state.items()}
    check_tensors(architecture, found)
    assert list(found) == list(expected_tensors(architecture))


@pytest.mark.parametrize("mode", ["mlp_dense", "linear_glm_baseline"])
def test_the_number_of_parameters_is_the_one_that_admission_counted(mode: str) -> None:
    model = TabularModel(an_architecture(mode))
    spec = resolve(TabularTrainSpec(target_column="y", training_mode=mode, hidden_dim=8, num_hidden_layers=2))
    assert num_parameters(spec, input_dim=5, output_dim=3) == sum(p.numel() for p in model.parameters())


def as_modules(model: TabularModel) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layer in model.dense_layers:
        parts += [layer.linear, layer.norm, nn.ReLU(), nn.Dropout(model.dropout)]
    return nn.Sequential(*parts, model.output)


@pytest.mark.parametrize("training", [True, False])
def test_the_forward_pass_is_that_of_the_usual_modules(training: bool) -> None:
    torch.manual_seed(0)
    model = TabularModel(an_architecture("mlp_dense"))
    features = torch.randn(16, 5)
    usual = as_modules(model).train(training)

    torch.manual_seed(1)
    ours = ForwardPass(model)(features, training=training)
    torch.manual_seed(1)
    theirs = usual(features)

    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_the_gradients_are_those_of_the_usual_modules() -> None:
    torch.manual_seed(0)
    model = TabularModel(an_architecture("mlp_dense", dropout=0.0))
    features = torch.randn(16, 5)
    gradients = []
    for outputs in (ForwardPass(model)(features, training=True), as_modules(model)(features)):
        model.zero_grad()
        torch.autograd.backward(outputs.square().sum())
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
