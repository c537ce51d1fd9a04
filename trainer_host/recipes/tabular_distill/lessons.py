"""Everything that a student learns from and is judged by, as tensors on the device."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from headway.contract.recipes import AttemptContext
from headway.contract.specs.tabular_distill import TabularDistill
from trainer_host.recipes.tabular_distill.rows import LabelledRows, Tables, taken
from trainer_host.recipes.tabular_distill.teachers import Teachers
from trainer_host.recipes.tabular_distill.teaching import (
    TaughtRows,
    joined,
    mixtures,
    none_of,
    plain_features,
    teach,
)
from trainer_host.recipes.tabular_train.held_out import HeldOutRows
from trainer_host.recipes.tabular_train.loop import Rows
from trainer_host.recipes.tabular_train.objective import NO_CLASS, soften
from trainer_host.recipes.tabular_train.preparation import Data, Tensors, check_size, targets_of
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.split import Split


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the student is made from.

    Attributes:
        preprocess: the teacher's, with the student's own target column and held-out rows.
        data: the table as the named teacher reads it.
        tensors: the rows that have a target, in their three parts.
        train: the training rows and the transfer set, with what the teachers say of both.
        num_mixtures: rows of the transfer set that lie between two training rows.
        num_unlabelled: rows of the transfer set that came without a target.
        teacher_outputs: of the teachers' mean for the test rows, rows x outputs.
        named_outputs: of the named teacher alone for the same.
    """

    preprocess: Preprocess
    data: Data
    tensors: Tensors
    train: Rows
    num_mixtures: int
    num_unlabelled: int
    teacher_outputs: Tensor
    named_outputs: Tensor

    @property
    def num_transfer(self) -> int:
        """Rows that only the teachers speak of."""
        return self.num_mixtures + self.num_unlabelled


def prepare_lessons(
    context: AttemptContext,
    spec: TabularDistill,
    teachers: Teachers,
    *,
    rows: LabelledRows,
    unlabelled: Tables,
    split: Split,
) -> Lessons:
    """Take the rows through the teachers' preprocessing, and let the teachers answer once to each.

    Raises:
        UserInputFailure: NOT_A_NUMBER or INVALID_DATE: a row is not what the teachers were trained with.
    """
    named = teachers[0].preprocess
    target = named.target.model_copy(update={"column": rows.labels.column})
    preprocess = named.model_copy(update={"target": target, "held_out": HeldOutRows.of(rows.digest, split)})
    train = plain_features(teachers, taken(rows.tables, split.train))
    mixed = mixtures(train, ratio=spec.mixup_ratio, seed=spec.training.random_seed)
    further = plain_features(teachers, unlabelled) if unlabelled else none_of(train)
    check_size(preprocess, len(train[0]) + len(mixed[0]) + len(further[0]))
    learned = teach(context, teachers, joined([train, mixed, further]))
    tested = teach(context, teachers, plain_features(teachers, taken(rows.tables, split.test)))
    tensors = _tensors(context, preprocess, rows, split, learned=learned, tested=tested)
    return Lessons(
        preprocess=preprocess,
        data=Data(rows.tables[0].without(rows.labels.column), rows.labels, split, rows.num_dropped),
        tensors=tensors,
        train=_to_learn_from(tensors.train.targets, learned, spec.temperature),
        num_mixtures=len(mixed[0]),
        num_unlabelled=len(further[0]),
        teacher_outputs=tested.outputs,
        named_outputs=tested.named,
    )


def _tensors(
    context: AttemptContext,
    preprocess: Preprocess,
    rows: LabelledRows,
    split: Split,
    *,
    learned: TaughtRows,
    tested: TaughtRows,
) -> Tensors:
    targets = targets_of(preprocess, rows.labels)

    def targets_at(positions: NDArray[np.int64]) -> Tensor:
        return targets[torch.from_numpy(positions)].to(context.device)

    validation = torch.from_numpy(preprocess.features(rows.tables[0].take(split.validation)))
    return Tensors(
        train=Rows(learned.features[: split.train.size], targets_at(split.train)),
        validation=Rows(validation.to(context.device), targets_at(split.validation)),
        test=Rows(tested.features, targets_at(split.test)),
    )


def _to_learn_from(targets: Tensor, learned: TaughtRows, temperature: float) -> Rows:
    """Rows of which the first have a target, and those after them, the transfer set, have none."""
    is_regression = targets.is_floating_point()
    num_transfer = len(learned.features) - len(targets)
    none = targets.new_full((num_transfer, *targets.shape[1:]), math.nan if is_regression else NO_CLASS)
    return Rows(
        learned.features,
        torch.cat([targets, none]),
        learned.outputs if is_regression else soften(learned.outputs, temperature),
    )
