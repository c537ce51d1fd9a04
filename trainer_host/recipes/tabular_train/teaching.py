"""What each training mode minimises, and the forest that teaches tree_teacher_distillation."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from headway.contract.errors import ModeNotPossible
from headway.contract.recipes import AttemptContext, UserInputFailure
from headway.contract.specs.tabular_train import (
    CALIBRATED,
    CLASSIFYING_MODES,
    IMBALANCE_AWARE,
    TREE_TEACHER,
    TabularTrain,
)
from trainer_host.recipes.tabular_train import limits
from trainer_host.recipes.tabular_train.ensembles import Targets, TreeTeacher, as_trees_take_them, grow_teacher
from trainer_host.recipes.tabular_train.loop import Rows
from trainer_host.recipes.tabular_train.objective import (
    PLAIN,
    Objective,
    learning_from_teacher,
    smoothing_labels,
    soften,
    weighting_classes,
)
from trainer_host.recipes.tabular_train.preparation import Data, Tensors, targets_of
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.target import Labels

_LEAST_PROBABILITY = 1e-4
"""Stands for a class that no tree votes for: its logarithm must be finite."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the loop is given.

    Attributes:
        objective: what it minimises.
        train: rows to learn from, with soft targets where there is a teacher.
        scalars: figures of the teacher, by name.
    """

    objective: Objective
    train: Rows
    scalars: dict[str, float] = field(default_factory=dict)


def check_mode_fits(mode: str, labels: Labels) -> None:
    """Refuse a mode that only knows classes when the table turned out to be a regression.

    Raises:
        UserInputFailure: MODE_NOT_POSSIBLE.
    """
    if mode in CLASSIFYING_MODES and labels.task == "regression":
        raise UserInputFailure(
            ModeNotPossible.reason,
            f"{mode} is for classes, and the target is a number with many values; take another mode, or set task to "
            "CLASSIFICATION when its values are labels",
        )


def prepare_lesson(
    context: AttemptContext, spec: TabularTrain, preprocess: Preprocess, data: Data, tensors: Tensors
) -> Lesson:
    """The objective of the spec's mode; grows the forest when the mode has one."""
    train = tensors.train
    if spec.training_mode == IMBALANCE_AWARE:
        return Lesson(weighting_classes(train.targets, len(data.labels.classes)), train)
    if spec.training_mode == CALIBRATED:
        return Lesson(smoothing_labels(limits.LABEL_SMOOTHING), train)
    if spec.training_mode == TREE_TEACHER:
        return _tree_lesson(context, spec, preprocess, data, tensors)
    return Lesson(PLAIN, train)


def _tree_lesson(
    context: AttemptContext, spec: TabularTrain, preprocess: Preprocess, data: Data, tensors: Tensors
) -> Lesson:
    is_classification = data.labels.task == "classification"
    targets = as_trees_take_them(targets_of(preprocess, data.labels))
    train, test = (preprocess.plain_features(data.table.take(rows)) for rows in (data.split.train, data.split.test))
    teacher = grow_teacher(
        train,
        targets[data.split.train],
        is_classification=is_classification,
        seed=spec.random_seed,
        check_stop=context.check_stop,
    )
    name, value = _figure(teacher, test, targets[data.split.test], preprocess, is_classification=is_classification)
    context.detail(f"a forest of {limits.FOREST_TREES} trees teaches: {name} {value:.6g}")
    soft_targets = torch.from_numpy(teacher.own_answers.astype(np.float32))
    if is_classification:
        soft_targets = soften(torch.log(soft_targets.clamp_min(_LEAST_PROBABILITY)), limits.FOREST_TEMPERATURE)
    objective = learning_from_teacher(limits.FOREST_ALPHA, limits.FOREST_TEMPERATURE)
    return Lesson(objective, replace(tensors.train, soft_targets=soft_targets.to(context.device)), {name: value})


def _figure(
    teacher: TreeTeacher,
    test: NDArray[np.float32],
    truth: Targets,
    preprocess: Preprocess,
    *,
    is_classification: bool,
) -> tuple[str, float]:
    answers = teacher.forest.predict(test)
    if is_classification:
        return "tree_teacher_accuracy", float((answers == truth).mean())
    return "tree_teacher_rmse", float(np.sqrt(((answers - truth) ** 2).mean())) * preprocess.target.scale
