"""Dropout whose noise costs a third of torch's own on the CPU, where that is a quarter of a step on a small table."""

from collections.abc import Callable

import torch
from torch import Tensor

_LEVELS = 65_536
"""A share is counted in steps of one in so many: the values of 16 bits."""
_LEAST = -(_LEVELS // 2)
_LEAST_OF_64_BITS = -(2**63)
_DRAWS_A_NUMBER = 4


class Noise:
    """What activations on the CPU are multiplied by: 0 where one is dropped.

    Each is decided by 16 bits of torch's global generator, drawn 64 at a time. The same state of it gives the same
    noise, so that a training goes on exactly from a checkpoint.

    Attributes:
        share: what is really dropped: the nearest multiple of 1/65,536.
        drops: whether anything is.
    """

    def __init__(self, share: float) -> None:
        """Args: share: of the activations to drop, from 0 to less than 1."""
        num_dropped = min(round(share * _LEVELS), _LEVELS - 1)
        self.share = num_dropped / _LEVELS
        self.drops = num_dropped > 0
        self._least_kept = _LEAST + num_dropped
        # By the share that is really kept, which may be off by half of 1/65,536 from the one asked for: so the mean
        # activation stays exactly what it is without dropout.
        self._scale = _LEVELS / (_LEVELS - num_dropped)

    def __call__(self, num_rows: int, width: int) -> Tensor:
        """Noise for one layer's activations, float32, rows x width: 0, or 1 / (1 - share)."""
        numbers = torch.empty((num_rows, -(-width // _DRAWS_A_NUMBER)), dtype=torch.int64)
        draws = numbers.random_(_LEAST_OF_64_BITS, None).view(torch.int16)[:, :width]
        return draws.ge_(self._least_kept).to(torch.float32).mul_(self._scale)


def dropout_of(share: float, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Drops a share of activations, rows x width, while training; by torch's own kernel where that is the faster one.

    Args:
        share: of the activations to drop, from 0 to less than 1.
        device: where they are.
    """
    if device.type != "cpu":
        return lambda hidden: torch.dropout(hidden, share, True) if share else hidden  # noqa: FBT003 - as torch has it
    noise = Noise(share)
    return lambda hidden: hidden * noise(*hidden.shape) if noise.drops else hidden
