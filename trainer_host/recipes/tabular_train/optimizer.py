"""AdamW over a fixed list of parameters: torch's fused kernel without the 40 microseconds of Python around it.

The same bits as `torch.optim.AdamW(..., fused=True)`; tests/unit compares them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
"""torch's defaults."""
_PREFIX = "optimizer"


class Adam:
    """Moments of some parameters, and the step that updates both."""

    def __init__(self, parameters: Sequence[Tensor], *, learning_rate: float, weight_decay: float) -> None:
        """Begin with moments of zero; the parameters are updated in place."""
        self._parameters = [parameter.detach() for parameter in parameters]
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        # On the device: reading it would wait for all that was begun there.
        self._num_steps = torch.zeros((), dtype=torch.float32, device=self._parameters[0].device)
        self._steps = [self._num_steps] * len(self._parameters)
        self._learning_rate = learning_rate
        self._weight_decay = weight_decay

    def step(self, gradients: list[Tensor]) -> None:
        """Take one step along gradients, one a parameter."""
        self._num_steps.add_(1)
        torch._fused_adamw_(
            self._parameters,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            lr=self._learning_rate,
            beta1=_BETA_1,
            beta2=_BETA_2,
            weight_decay=self._weight_decay,
            eps=_EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Its whole state, each tensor named by its parameter's place as `torch.optim` names it."""
        found: dict[str, Tensor] = {}
        for place, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            found[f"{_PREFIX}.{place}.step"] = self._num_steps.clone()
            found[f"{_PREFIX}.{place}.exp_avg"] = mean
            found[f"{_PREFIX}.{place}.exp_avg_sq"] = square
        return found

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up a state that `tensors` named; others are left alone."""
        for place, (mean, square) in enumerate(zip(self._means, self._squares, strict=True)):
            mean.copy_(tensors[f"{_PREFIX}.{place}.exp_avg"])
            square.copy_(tensors[f"{_PREFIX}.{place}.exp_avg_sq"])
        self._num_steps.copy_(tensors[f"{_PREFIX}.0.step"])
