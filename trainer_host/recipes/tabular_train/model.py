"""The models, with the tensor names that `headway.contract.architectures` lists.

A module here only holds its tensors. The forward pass is one function that has them at hand and is told whether it
trains: on a small table, looking up sub-modules and switching their mode takes a tenth of a step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from headway.contract.architectures import Architecture
from trainer_host.recipes.tabular_train.dropout import dropout_of

Stage = Callable[[Tensor, bool], Tensor]
"""From hidden activations, and whether it trains, to the next ones."""


class DenseLayer(nn.Module):
    """Linear, batch normalisation, ReLU, dropout."""

    def __init__(self, input_dim: int, output_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_dim, output_dim)
        self.norm = nn.BatchNorm1d(output_dim)


class ResidualBlock(nn.Module):
    """What is added to its own input: batch normalisation, linear, ReLU, dropout, linear, dropout.

    Source: the ResNet of Gorishniy and others, "Revisiting deep learning models for tabular data", 2021.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)


class TabularModel(nn.Module):
    """A model of any mode.

    A linear model has neither dense layers nor blocks. A tabresnet has an `input`, blocks and a last `norm`, and every
    other mode has dense layers.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.dropout = architecture.dropout
        self.dense_layers: list[DenseLayer] = []
        self.residual_blocks: list[ResidualBlock] = []
        self.input: nn.Linear | None = None
        self.norm: nn.BatchNorm1d | None = None
        width = architecture.input_dim
        if architecture.mode == "tabresnet":
            width = self._add_blocks(architecture)
        elif architecture.mode != "linear_glm_baseline":
            width = self._add_layers(architecture)
        self.output = nn.Linear(width, architecture.output_dim)

    def _add_layers(self, architecture: Architecture) -> int:
        width = architecture.input_dim
        for _ in range(architecture.num_hidden_layers):
            self.dense_layers.append(DenseLayer(width, architecture.hidden_dim))
            width = architecture.hidden_dim
        self.layers = nn.ModuleList(self.dense_layers)
        return width

    def _add_blocks(self, architecture: Architecture) -> int:
        width = architecture.hidden_dim
        self.input = nn.Linear(architecture.input_dim, width)
        self.residual_blocks.extend(ResidualBlock(width) for _ in range(architecture.num_hidden_layers))
        self.blocks = nn.ModuleList(self.residual_blocks)
        self.norm = nn.BatchNorm1d(width)
        return width

    @property
    def norms(self) -> list[nn.BatchNorm1d]:
        """Every batch normalisation."""
        dense, residual = [layer.norm for layer in self.dense_layers], [block.norm for block in self.residual_blocks]
        return [*dense, *residual, *([] if self.norm is None else [self.norm])]

    def count_batches(self, num_batches: int) -> None:
        """Note in every batch normalisation how many batches it has seen; nothing is computed from it."""
        with torch.no_grad():
            for norm in self.norms:
                if norm.num_batches_tracked is not None:
                    norm.num_batches_tracked.fill_(num_batches)


class ForwardPass:
    """Computes a model's outputs. Made when the model is on its device, and valid for as long as it stays there."""

    def __init__(self, model: TabularModel) -> None:
        self._stages = _stages_of(model)
        self._weight, self._bias = model.output.weight, model.output.bias

    def __call__(self, features: Tensor, *, training: bool) -> Tensor:
        """Logits, or standardised predictions: rows x features to rows x outputs.

        Args:
            features: float32, rows x features.
            training: whether to drop activations, and to normalise by the batch and not by the running statistics.
        """
        hidden = features
        for stage in self._stages:
            hidden = stage(hidden, training)
        return functional.linear(hidden, self._weight, self._bias)


def _stages_of(model: TabularModel) -> list[Stage]:
    if model.input is None or model.norm is None:
        return [_dense_stage(layer, model.dropout) for layer in model.dense_layers]
    weight, bias, last = model.input.weight, model.input.bias, _Norm.of(model.norm)
    blocks = [_block_stage(block, model.dropout) for block in model.residual_blocks]
    return [
        lambda hidden, _: functional.linear(hidden, weight, bias),
        *blocks,
        lambda hidden, training: torch.relu_(last(hidden, training)),
    ]


def _dense_stage(layer: DenseLayer, dropout: float) -> Stage:
    weight, bias, norm = layer.linear.weight, layer.linear.bias, _Norm.of(layer.norm)
    drop = dropout_of(dropout, weight.device)

    def stage(hidden: Tensor, training: bool) -> Tensor:  # noqa: FBT001 - a name costs a dictionary a call
        hidden = torch.relu_(norm(functional.linear(hidden, weight, bias), training))
        return drop(hidden) if training else hidden

    return stage


def _block_stage(block: ResidualBlock, dropout: float) -> Stage:
    norm, first, second = _Norm.of(block.norm), block.first, block.second
    weights = (first.weight, first.bias, second.weight, second.bias)
    drop = dropout_of(dropout, first.weight.device)

    def stage(hidden: Tensor, training: bool) -> Tensor:  # noqa: FBT001 - as above
        inner = torch.relu_(functional.linear(norm(hidden, training), weights[0], weights[1]))
        inner = functional.linear(drop(inner) if training else inner, weights[2], weights[3])
        return hidden + (drop(inner) if training else inner)

    return stage


@dataclass(frozen=True, slots=True)
class _Norm:
    """A batch normalisation's tensors at hand."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    momentum: float
    epsilon: float

    @staticmethod
    def of(norm: nn.BatchNorm1d) -> "_Norm":
        return _Norm(norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum or 0.0, norm.eps)

    def __call__(self, hidden: Tensor, training: bool) -> Tensor:  # noqa: FBT001 - as above
        return functional.batch_norm(
            hidden,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training,
            self.momentum,
            self.epsilon,
        )
