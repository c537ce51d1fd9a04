import math

import numpy as np
import pytest
import torch
from torch import Tensor

from headway.contract.architectures import Architecture
from headway.testing.attempts import SilentContext
from trainer_host.recipes.tabular_distill.teaching import joined, mixtures, none_of, teach
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preprocess import NumericFeature, Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.trained import TrainedModel

ROWS = np.arange(20, dtype=np.float32).reshape(10, 2)


def a_teacher(target: TargetColumn, weight: Tensor, bias: Tensor) -> TrainedModel:
    """A linear model with these tensors."""
    architecture = Architecture(
        kind="tabular_train",
        mode="linear_glm_baseline",
        input_dim=2,
        output_dim=weight.shape[0],
        task=target.task,
        classes=target.classes or None,
    )
    model = TabularModel(architecture)
    model.load_state_dict({"output.weight": weight, "output.bias": bias})
    numeric = tuple(NumericFeature(name=name, median=0, mean=0, scale=1) for name in ("x1", "x2"))
    preprocess = Preprocess(target=target, numeric=numeric, feature_names=("x1", "x2"))
    return TrainedModel(architecture, preprocess, model, 0, "projects/p/jobs/t")


def classifier(classes: tuple[str, ...], *biases: float) -> TrainedModel:
    target = TargetColumn(column="target", task="classification", classes=classes)
    return a_teacher(target, torch.zeros(len(classes), 2), torch.tensor(biases))


def regression(value: float, *, mean: float, scale: float) -> TrainedModel:
    """Always answers `value`, in the unit of the target."""
    target = TargetColumn(column="target", task="regression", mean=mean, scale=scale)
    return a_teacher(target, torch.zeros(1, 2), torch.tensor([(value - mean) / scale]))


def test_an_ensemble_says_the_mean_in_the_named_teachers_order_of_classes() -> None:
    teachers = (classifier(("a", "b", "c"), 1, 2, 3), classifier(("c", "a", "b"), 30, 10, 20))

    taught = teach(SilentContext(), teachers, (ROWS, ROWS))

    assert taught.outputs[0].tolist() == [5.5, 11, 16.5]
    assert taught.named[0].tolist() == [1, 2, 3]
    assert taught.features.tolist() == ROWS.tolist()


def test_numbers_of_other_units_are_taken_for_what_they_mean() -> None:
    teachers = (regression(100, mean=50, scale=10), regression(200, mean=-7, scale=3))

    taught = teach(SilentContext(), teachers, (ROWS, ROWS))

    assert taught.outputs[0].item() * 10 + 50 == pytest.approx(150)


def test_each_teacher_gets_the_rows_as_it_reads_them() -> None:
    target = TargetColumn(column="target", task="regression")
    looks = a_teacher(target, torch.tensor([[1.0, 0.0]]), torch.zeros(1))

    taught = teach(SilentContext(), (looks, looks), (ROWS, 3 * ROWS))

    assert taught.outputs[:, 0].tolist() == (2 * ROWS[:, 0]).tolist()


def test_a_mixture_lies_between_two_rows_and_is_the_same_for_all_teachers() -> None:
    first, second = mixtures((ROWS, 10 * ROWS - 3), ratio=4, seed=1)

    assert first.shape == (40, 2)
    assert first.dtype == np.float32
    np.testing.assert_allclose(second, 10 * first - 3, rtol=1e-4)
    # The rows lie on one line, and so does all that is between them.
    np.testing.assert_allclose(first[:, 1] - first[:, 0], 1, rtol=1e-4)
    assert first.min() >= ROWS.min()
    assert first.max() <= ROWS.max()
    assert len({*first[:, 0].tolist()}) > 35


@pytest.mark.parametrize(("ratio", "num"), [(0, 0), (0.25, 2), (1, 10), (2.5, 25)])
def test_the_ratio_says_how_many(ratio: float, num: int) -> None:
    [mixed] = mixtures((ROWS,), ratio=ratio, seed=1)
    assert len(mixed) == num


def test_every_row_is_mixed_as_often_as_every_other() -> None:
    """The larger part of a row in a mixture is told by one-hot rows."""
    rows = np.eye(10, dtype=np.float32)
    [mixed] = mixtures((rows,), ratio=400, seed=1)
    shares = mixed.sum(axis=0) / mixed.sum()
    assert shares.max() < 0.11
    assert shares.min() > 0.09


def test_the_seed_decides() -> None:
    [first], [again], [other] = (mixtures((ROWS,), ratio=1, seed=seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_rows_without_any_row_can_be_joined_and_taught() -> None:
    whole = joined([(ROWS,), none_of((ROWS,))])
    assert whole[0].tolist() == ROWS.tolist()

    taught = teach(SilentContext(), (classifier(("a", "b"), 0, 1),), none_of((ROWS,)))
    assert taught.outputs.shape == (0, 2)
    assert not math.isnan(taught.outputs.sum().item())
