import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainer_host.recipes.tabular_train.objective import (
    NO_CLASS,
    PLAIN,
    labelled_loss,
    learning_from_teacher,
    plain_loss,
    smoothing_labels,
    soft_loss,
    soften,
    weighting_classes,
)

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.4, 0.3], [-1.0, 3.0, 0.0]])
CLASSES = torch.tensor([0, 2, 1])


def test_the_plain_loss_is_cross_entropy_or_mean_squared_error() -> None:
    assert plain_loss(LOGITS, CLASSES).item() == functional.cross_entropy(LOGITS, CLASSES).item()
    numbers = torch.tensor([[1.0], [2.0]])
    assert plain_loss(torch.zeros(2, 1), numbers).item() == 2.5
    assert PLAIN.training is PLAIN.judging is plain_loss


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    """Weights total / (K * count): 6 / (3 * 4), 6 / (3 * 1), 6 / (3 * 1)."""
    objective = weighting_classes(torch.tensor([0, 0, 0, 0, 1, 2]), 3)

    each = functional.cross_entropy(LOGITS, CLASSES, reduction="none")
    weights = torch.tensor([0.5, 2.0, 2.0])
    expected = (each * weights).sum() / weights.sum()
    assert objective.training(LOGITS, CLASSES).item() == pytest.approx(expected.item(), rel=1e-6)
    assert objective.judging(LOGITS, CLASSES).item() == pytest.approx(expected.item(), rel=1e-6)


def test_a_class_that_no_training_row_has_does_not_break_the_weights() -> None:
    objective = weighting_classes(torch.tensor([0, 1]), 3)
    assert torch.isfinite(objective.training(LOGITS, CLASSES))


def test_smoothed_labels_punish_certainty_and_judge_without() -> None:
    objective = smoothing_labels(0.05)
    sure = torch.tensor([[40.0, 0.0, 0.0]])

    assert objective.training(sure, torch.tensor([0])).item() == pytest.approx(0.05 * 2 / 3 * 40, rel=1e-5)
    assert objective.judging(sure, torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)


def test_alpha_weighs_the_hard_loss_and_the_rest_goes_to_the_teacher() -> None:
    teacher = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    hard = plain_loss(LOGITS, CLASSES).item()
    for alpha in (0.0, 0.3, 1.0):
        loss = learning_from_teacher(alpha, 2.0).training(LOGITS, CLASSES, soften(teacher, 2.0))
        soft = soft_loss(LOGITS, soften(teacher, 2.0), 2.0).item()
        assert loss.item() == pytest.approx(alpha * hard + (1 - alpha) * soft, rel=1e-6)


def test_the_soft_loss_is_the_divergence_from_the_teacher_times_the_squared_temperature() -> None:
    teacher = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    wanted, student = functional.softmax(teacher / 2, dim=1), functional.softmax(LOGITS / 2, dim=1)
    divergence = (wanted * (wanted.log() - student.log())).sum(dim=1).mean() * 4

    assert soft_loss(LOGITS, soften(teacher, 2.0), 2.0).item() == pytest.approx(divergence.item(), rel=1e-5)
    assert soft_loss(teacher, soften(teacher, 2.0), 2.0).item() == pytest.approx(0, abs=1e-6)


def test_numbers_are_learned_from_a_teacher_without_temperature() -> None:
    outputs, truth, teacher = torch.tensor([[1.0]]), torch.tensor([[3.0]]), torch.tensor([[2.0]])
    assert learning_from_teacher(0.25, 9.0).training(outputs, truth, teacher).item() == 0.25 * 4 + 0.75 * 1


def test_without_soft_targets_only_the_hard_loss_counts() -> None:
    loss = learning_from_teacher(0.5, 2.0).training(LOGITS, CLASSES)
    assert loss.item() == plain_loss(LOGITS, CLASSES).item()


def test_of_rows_without_a_target_only_the_teacher_speaks() -> None:
    """The hard loss is the mean over the rows that have one, so that alpha means the same however many have none."""
    teacher = soften(torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 1.0, 1.0]]), 2.0)
    some = torch.tensor([0, NO_CLASS, 1])
    loss = learning_from_teacher(0.3, 2.0, has_unlabelled=True).training(LOGITS, some, teacher)
    hard = plain_loss(LOGITS[[0, 2]], CLASSES[[0, 2]]).item()
    assert loss.item() == pytest.approx(0.3 * hard + 0.7 * soft_loss(LOGITS, teacher, 2.0).item(), rel=1e-6)

    outputs, numbers = torch.tensor([[1.0], [5.0]]), torch.tensor([[3.0], [math.nan]])
    loss = learning_from_teacher(0.25, 1.0, has_unlabelled=True).training(outputs, numbers, outputs + 1)
    assert loss.item() == 0.25 * 4 + 0.75 * 1


@pytest.mark.parametrize(
    ("outputs", "none"),
    [(LOGITS, torch.full((3,), NO_CLASS)), (torch.ones(3, 1), torch.full((3, 1), math.nan))],
    ids=["classes", "numbers"],
)
def test_a_batch_without_any_target_has_no_hard_loss_and_no_gradient_of_it(outputs: Tensor, none: Tensor) -> None:
    outputs = outputs.clone().requires_grad_()
    loss = labelled_loss(outputs, none)
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert outputs.grad is not None
    assert outputs.grad.abs().max().item() == 0
