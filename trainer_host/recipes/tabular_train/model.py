"""The models, with the tensor names that `headway.contract.architectures` lists.

A module here only holds its tensors. The forward pass is one function that has them at hand and is told whether it
trains: on a small table, looking up sub-modules and switching their mode takes a tenth of a step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from headway.contract.architectures import Architecture


class DenseLayer(nn.Module):
    """Linear, batch normalisation, ReLU, dropout."""

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, output_dim)
        self.norm = nn.BatchNorm1d(output_dim)


class TabularModel(nn.Module):
    """Any number of dense layers, then one linear layer; none of them for linear_glm_baseline."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.dropout = architecture.dropout
        self.dense_layers: list[DenseLayer] = []
        width = architecture.input_dim
        if architecture.mode == "mlp_dense":
            for _ in range(architecture.num_hidden_layers):
                self.dense_layers.append(DenseLayer(width, architecture.hidden_dim))
                width = architecture.hidden_dim
            self.layers = nn.ModuleList(self.dense_layers)
        self.output = nn.Linear(width, architecture.output_dim)

    def count_batches(self, num_batches: int) -> None:
        """Note in every batch normalisation how many batches it has seen; nothing is computed from it."""
        with torch.no_grad():
            for layer in self.dense_layers:
                if layer.norm.num_batches_tracked is not None:
                    layer.norm.num_batches_tracked.fill_(num_batches)


class ForwardPass:
    """Computes a model's outputs. Made when the model is on its device, and valid for as long as it stays there."""

    def __init__(self, model: TabularModel) -> None:
        self._dropout = model.dropout
        self._layers = [_tensors_of(layer) for layer in model.dense_layers]
        self._weight, self._bias = model.output.weight, model.output.bias

    def __call__(self, features: Tensor, *, training: bool) -> Tensor:
        """Logits, or standardised predictions: rows x features to rows x outputs.

        Args:
            features: float32, rows x features.
            training: whether to drop activations, and to normalise by the batch and not by the running statistics.
        """
        hidden = features
        for layer in self._layers:
            hidden = functional.batch_norm(
                functional.linear(hidden, layer.weight, layer.bias),
                layer.running_mean,
                layer.running_var,
                layer.norm_weight,
                layer.norm_bias,
                training,
                layer.momentum,
                layer.epsilon,
            )
            hidden = torch.relu_(hidden)
            if training and self._dropout:
                hidden = torch.dropout(hidden, self._dropout, True)  # noqa: FBT003 - torch names no third parameter
        return functional.linear(hidden, self._weight, self._bias)


@dataclass(frozen=True, slots=True)
class _DenseTensors:
    weight: Tensor
    bias: Tensor
    norm_weight: Tensor
    norm_bias: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    momentum: float
    epsilon: float


def _tensors_of(layer: DenseLayer) -> _DenseTensors:
    norm = layer.norm
    return _DenseTensors(
        weight=layer.linear.weight,
        bias=layer.linear.bias,
        norm_weight=norm.weight,
        norm_bias=norm.bias,
        running_mean=norm.running_mean,
        running_var=norm.running_var,
        momentum=norm.momentum or 0.0,
        epsilon=norm.eps,
    )
