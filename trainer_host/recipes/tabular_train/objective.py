"""What a training minimises, and the loss that its states are judged by."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

NO_CLASS = -100
"""Target of a row that has none; only a teacher speaks of it. In a regression such a target is NaN."""


class TrainingLoss(Protocol):
    """The loss of one batch."""

    def __call__(self, outputs: Tensor, targets: Tensor, soft_targets: Tensor | None = None, /) -> Tensor:
        """Mean over the rows of a batch.

        Args:
            outputs: of the model, rows x outputs.
            targets: int64, rows; or float32, rows x 1, standardised.
            soft_targets: what a teacher says of the same rows, as `soften` makes it; None where no teacher speaks.
        """
        ...


class JudgingLoss(Protocol):
    """The loss of rows that are only looked at."""

    def __call__(self, outputs: Tensor, targets: Tensor, /) -> Tensor:
        """Mean over rows; arguments as for TrainingLoss."""
        ...


@dataclass(frozen=True, slots=True)
class Objective:
    """What a training is for.

    Attributes:
        training: minimised.
        judging: chooses the best epoch, and is what train_loss, validation_loss and test_loss say in the end. It knows
            no teacher and no smoothing, so that models which were trained otherwise can be compared.
    """

    training: TrainingLoss
    judging: JudgingLoss


def plain_loss(outputs: Tensor, targets: Tensor, _soft_targets: Tensor | None = None, /) -> Tensor:
    """Cross-entropy for classes, mean squared error for numbers."""
    if targets.is_floating_point():
        return functional.mse_loss(outputs, targets)
    return functional.cross_entropy(outputs, targets)


PLAIN = Objective(plain_loss, plain_loss)


def weighting_classes(targets: Tensor, num_classes: int) -> Objective:
    """Each class counts as much as every other: weights total / (K * count), in judging too.

    Args:
        targets: class of each training row, int64.
        num_classes: K.
    """
    counts = torch.bincount(targets, minlength=num_classes).clamp_min(1)
    weights = targets.numel() / (num_classes * counts.to(torch.float32))

    def loss(outputs: Tensor, targets: Tensor, _soft_targets: Tensor | None = None, /) -> Tensor:
        return functional.cross_entropy(outputs, targets, weight=weights)

    return Objective(loss, loss)


def smoothing_labels(smoothing: float) -> Objective:
    """Cross-entropy towards labels that leave a share to all classes alike: the model becomes less sure of itself."""

    def loss(outputs: Tensor, targets: Tensor, _soft_targets: Tensor | None = None, /) -> Tensor:
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    return Objective(loss, plain_loss)


def learning_from_teacher(alpha: float, temperature: float, *, has_unlabelled: bool = False) -> Objective:
    """`alpha * hard + (1 - alpha) * soft`.

    Args:
        alpha: share of the plain loss, 0-1; the rest is the loss towards the teacher.
        temperature: as for `soften`; not used for numbers.
        has_unlabelled: whether some rows have no target but NO_CLASS or NaN. The plain loss is then the mean over those
            that have one, so that alpha means the same however many others there are.
    """
    plain = labelled_loss if has_unlabelled else plain_loss

    def loss(outputs: Tensor, targets: Tensor, soft_targets: Tensor | None = None, /) -> Tensor:
        hard = plain(outputs, targets)
        return hard if soft_targets is None else alpha * hard + (1 - alpha) * soft(outputs, targets, soft_targets)

    def soft(outputs: Tensor, targets: Tensor, soft_targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            return functional.mse_loss(outputs, soft_targets)
        return soft_loss(outputs, soft_targets, temperature)

    return Objective(loss, plain_loss)


def soften(logits: Tensor, temperature: float) -> Tensor:
    """A teacher's classes as soft targets: the logarithms of its probabilities at a temperature, computed once."""
    return functional.log_softmax(logits / temperature, dim=1)


def labelled_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """The plain loss of the rows that have a target; 0, and no gradient, where none has one."""
    if targets.is_floating_point():
        is_labelled = ~targets.isnan()
        squares = torch.where(is_labelled, outputs - targets.nan_to_num(), 0.0) ** 2
        return squares.sum() / is_labelled.sum().clamp_min(1)
    # The mean of nothing is no number, nor is its gradient: so the sum, and a division of our own.
    total = functional.cross_entropy(outputs, targets, ignore_index=NO_CLASS, reduction="sum")
    return total / (targets != NO_CLASS).sum().clamp_min(1)


def soft_loss(outputs: Tensor, soft_targets: Tensor, temperature: float) -> Tensor:
    """`T^2 * KL(teacher, student)` at a temperature, mean over rows.

    The square keeps its gradients as large as those of the hard loss, whatever the temperature.

    Args:
        outputs: logits of the student.
        soft_targets: as `soften` makes them, of the same temperature.
        temperature: above 0.

    Source: Hinton and others, "Distilling the knowledge in a neural network", 2015.
    """
    student = functional.log_softmax(outputs / temperature, dim=1)
    return functional.kl_div(student, soft_targets, reduction="batchmean", log_target=True) * temperature**2
