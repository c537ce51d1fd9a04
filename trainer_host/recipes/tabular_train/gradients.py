"""Gradients of one batch: by torch's autograd, or, for dense layers on the CPU, by hand.

On a small table most of a step is not arithmetic but the book-keeping of autograd. By hand the same kernels run in the
same order, so that the bits are the same, in three quarters of the time; tests/unit compares them.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from trainer_host.recipes.tabular_train.dropout import Noise
from trainer_host.recipes.tabular_train.model import DenseLayer, ForwardPass, TabularModel
from trainer_host.recipes.tabular_train.objective import TrainingLoss

_native_batch_norm_backward = torch.ops.aten.native_batch_norm_backward.default
_threshold_backward = torch.ops.aten.threshold_backward.default
_ALL_THREE = [True, True, True]


class Gradients(Protocol):
    """Computes the loss of a batch and its gradients."""

    def __call__(self, features: Tensor, targets: Tensor, soft_targets: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The loss, and its gradient for each parameter of the model, in the model's order."""
        ...


def gradients_of(model: TabularModel, loss: TrainingLoss) -> Gradients:
    """The faster way for this model; made when it is on its device."""
    is_on_cpu = model.output.weight.device.type == "cpu"
    return DenseGradients(model, loss) if is_on_cpu and model.input is None else AutogradGradients(model, loss)


class AutogradGradients:
    """For any model and device."""

    def __init__(self, model: TabularModel, loss: TrainingLoss) -> None:
        self._forward = ForwardPass(model)
        self._loss = loss
        self._parameters = list(model.parameters())

    def __call__(self, features: Tensor, targets: Tensor, soft_targets: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """As Gradients says."""
        loss = self._loss(self._forward(features, training=True), targets, soft_targets)
        return loss.detach(), list(torch.autograd.grad(loss, self._parameters))


class DenseGradients:
    """For dense layers, or none, on the CPU. Autograd only sees the loss, which differs from mode to mode."""

    def __init__(self, model: TabularModel, loss: TrainingLoss) -> None:
        self._layers = [_Layer.of(layer) for layer in model.dense_layers]
        self._weight, self._bias = model.output.weight.detach(), model.output.bias.detach()
        self._noise = Noise(model.dropout)
        self._loss = loss

    def __call__(self, features: Tensor, targets: Tensor, soft_targets: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """As Gradients says."""
        hidden = features
        passed: list[_Passed] = []
        for layer in self._layers:
            one = self._forward(layer, hidden)
            passed.append(one)
            hidden = one.output
        outputs = functional.linear(hidden, self._weight, self._bias).requires_grad_()
        loss = self._loss(outputs, targets, soft_targets)
        (gradient,) = torch.autograd.grad(loss, outputs)
        found = [gradient.sum(0), gradient.t().mm(hidden)]
        weight = self._weight
        for layer, one in zip(reversed(self._layers), reversed(passed), strict=True):
            gradient = _backward(layer, one, gradient.mm(weight), found)
            weight = layer.weight
        found.reverse()
        return loss.detach(), found

    def _forward(self, layer: "_Layer", hidden: Tensor) -> "_Passed":
        linear = functional.linear(hidden, layer.weight, layer.bias)
        normed, mean, deviation = torch.native_batch_norm(
            linear,
            layer.norm_weight,
            layer.norm_bias,
            layer.running_mean,
            layer.running_var,
            True,  # noqa: FBT003 - torch names no such parameter
            layer.momentum,
            layer.epsilon,
        )
        active = torch.relu_(normed)
        if not self._noise.drops:
            return _Passed(hidden, linear, mean, deviation, active, None, active)
        noise = self._noise(*active.shape)
        return _Passed(hidden, linear, mean, deviation, active, noise, active * noise)


def _backward(layer: "_Layer", one: "_Passed", gradient: Tensor, found: list[Tensor]) -> Tensor:
    """Adds the gradients of a layer's parameters, the last first; returns that of its linear part's outputs."""
    if one.noise is not None:
        gradient = gradient * one.noise
    gradient = _threshold_backward(gradient, one.active, 0)
    linear, norm_weight, norm_bias = _native_batch_norm_backward(
        gradient,
        one.linear,
        layer.norm_weight,
        layer.running_mean,
        layer.running_var,
        one.mean,
        one.deviation,
        True,  # noqa: FBT003 - torch names no such parameter
        layer.epsilon,
        _ALL_THREE,
    )
    found += [norm_bias, norm_weight, linear.sum(0), linear.t().mm(one.input)]
    outputs: Tensor = linear
    return outputs


@dataclass(frozen=True, slots=True)
class _Layer:
    """A dense layer's tensors at hand, without their history."""

    weight: Tensor
    bias: Tensor
    norm_weight: Tensor
    norm_bias: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    momentum: float
    epsilon: float

    @staticmethod
    def of(layer: DenseLayer) -> "_Layer":
        linear, norm = layer.linear, layer.norm
        return _Layer(
            linear.weight.detach(),
            linear.bias.detach(),
            norm.weight.detach(),
            norm.bias.detach(),
            norm.running_mean,
            norm.running_var,
            norm.momentum or 0.0,
            norm.eps,
        )


@dataclass(frozen=True, slots=True)
class _Passed:
    """What a layer's way back needs of its way there."""

    input: Tensor
    linear: Tensor
    mean: Tensor
    deviation: Tensor
    active: Tensor
    noise: Tensor | None
    output: Tensor
