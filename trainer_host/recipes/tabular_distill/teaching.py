"""What the teachers say of rows, computed once, and rows beyond the table for them to speak of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from headway.contract.recipes import AttemptContext
from trainer_host.recipes.tabular_distill.limits import MIXUP_SEED
from trainer_host.recipes.tabular_distill.rows import Tables
from trainer_host.recipes.tabular_distill.teachers import Teachers
from trainer_host.recipes.tabular_train.loop import outputs_of
from trainer_host.recipes.tabular_train.preprocess import Matrix
from trainer_host.recipes.tabular_train.trained import TrainedModel

Features = tuple[Matrix, ...]
"""Plain features of the same rows once a teacher; teachers that read alike share one."""


@dataclass(frozen=True, slots=True)
class TaughtRows:
    """Rows, and what the teachers say of them.

    Attributes:
        features: what the student takes: the first teacher's, rows x features, on the device.
        outputs: the mean of the teachers' outputs, rows x outputs; numbers are standardised as the first teacher's.
        named: the outputs of the named teacher alone.
    """

    features: Tensor
    outputs: Tensor
    named: Tensor


def plain_features(teachers: Teachers, tables: Tables) -> Features:
    """The rows as each teacher takes them, before any embedding of numbers.

    Raises:
        UserInputFailure: NOT_A_NUMBER or INVALID_DATE; the column is named.
    """
    return tuple(teacher.preprocess.plain_features(table) for teacher, table in zip(teachers, tables, strict=True))


def teach(context: AttemptContext, teachers: Teachers, features: Features) -> TaughtRows:
    """Let every teacher answer once."""
    first = _on_device(context, teachers[0], features[0])
    named = outputs_of(teachers[0].model, first)
    total = named
    for teacher, own in zip(teachers[1:], features[1:], strict=True):
        outputs = outputs_of(teacher.model, _on_device(context, teacher, own))
        context.check_stop()
        total = total + in_terms_of(teachers[0], teacher, outputs)
    return TaughtRows(first, total / len(teachers), named)


def in_terms_of(first: TrainedModel, teacher: TrainedModel, outputs: Tensor) -> Tensor:
    """Outputs of a further teacher as the first one means them: its order of classes, its unit."""
    mine, other = first.preprocess.target, teacher.preprocess.target
    if mine.task == "classification":
        places = [other.classes.index(label) for label in mine.classes]
        return outputs[:, places]
    # Divided before they are subtracted, so that targets near the largest double do not overflow.
    return outputs * (other.scale / mine.scale) + (other.mean / mine.scale - mine.mean / mine.scale)


def mixtures(features: Features, *, ratio: float, seed: int) -> Features:
    """Rows between two of the training rows: a share of one, the rest of the other (mixup, Zhang and others 2018).

    Each teacher gets the same mixtures, each in its own features: what is linear in a row mixes alike in all of them.

    Args:
        features: of the training rows.
        ratio: mixtures for each of them, at least 0.
        seed: the same seed mixes alike.
    """
    num_rows = len(features[0])
    num_mixtures = round(ratio * num_rows)
    generator = np.random.default_rng([MIXUP_SEED, seed])
    # Every row as often as every other, give or take one.
    first = np.resize(generator.permutation(num_rows), num_mixtures)
    second = generator.integers(num_rows, size=num_mixtures)
    share = generator.random((num_mixtures, 1), dtype=np.float32)
    return tuple(share * own[first] + (1 - share) * own[second] for own in features)


def none_of(features: Features) -> Features:
    """No rows, of the same features."""
    return tuple(own[:0] for own in features)


def joined(parts: Sequence[Features]) -> Features:
    """The rows of several parts, one after the other."""
    return tuple(np.concatenate(own) for own in zip(*parts, strict=True))


def _on_device(context: AttemptContext, teacher: TrainedModel, features: Matrix) -> Tensor:
    return torch.from_numpy(teacher.preprocess.embed(features)).to(context.device)
